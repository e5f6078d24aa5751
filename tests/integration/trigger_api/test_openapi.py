"""The application does what its OpenAPI document says, for requests that schemathesis makes from it."""

from __future__ import annotations

import re
from typing import Any

import httpx
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.trigger_api.conftest import API, document

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""Which say that every answer, also a refusal, is documented with its status, media type and shape."""


def test_every_answer_is_documented(app: FastAPI, admin: httpx.Client, address: str) -> None:
    admin.post(f"{API}/graphs", json=document())
    bearer = {"Authorization": admin.headers["Authorization"]}
    failures = []
    for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()

        @settings(
            max_examples=16, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
        )
        @given(operation.as_strategy())
        def answers_as_documented(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(base_url=address, headers=bearer, checks=CHECKS)

        try:
            answers_as_documented()
        except Exception as failure:
            failures.append(f"{operation.label}: {failure}")
    assert failures == []


def test_every_operation_is_named_and_described_and_lists_its_errors(app: FastAPI) -> None:
    operations: dict[str, Any] = {
        operation["operationId"]: operation for path in app.openapi()["paths"].values() for operation in path.values()
    }
    assert len(operations) == sum(len(path) for path in app.openapi()["paths"].values())
    for name, operation in operations.items():
        assert operation["description"], name
        errors = [status for status in operation["responses"] if status >= "400"]
        refusals = operation["responses"]["422"]["content"]["application/problem+json"]["schema"]["properties"]
        assert "invalid_request" in refusals["code"]["enum"], name
        for status in errors:
            content = operation["responses"][status]["content"]
            assert list(content) == ["application/problem+json"], (name, status)
            assert content["application/problem+json"]["schema"]["properties"]["code"]["enum"], (name, status)


def test_names_are_fit_for_generated_clients(app: FastAPI) -> None:
    openapi = app.openapi()
    names = list(openapi["components"]["schemas"])
    assert [
        name for name in names if not re.fullmatch(r"[A-Z][A-Za-z]*", name) or re.search("Input$|Output$", name)
    ] == []
    assert {"RunPage", "GraphPage", "NodeTypePage", "CreateTokenForm", "DeliveryAnswer", "Issue"} <= set(names)
    operations = [
        operation
        for path in openapi["paths"].values()
        for method, operation in path.items()
        if method in ("get", "post", "put", "patch", "delete")
    ]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name) or "api_v1" in name] == []
    titles = [
        response["content"]["application/problem+json"]["schema"]["title"]
        for operation in operations
        for status, response in operation["responses"].items()
        if status >= "400"
    ]
    assert len(set(titles)) == len(titles)
    references = set(re.findall(r"#/components/schemas/([^\"']+)", str(openapi)))
    assert references <= set(names)
