"""The application does what its OpenAPI document says, for requests that schemathesis makes from it."""

from __future__ import annotations

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
    public = {"live", "metrics", "get_schema", "list_node_types"}
    operations: dict[str, Any] = {
        operation["operationId"]: operation for path in app.openapi()["paths"].values() for operation in path.values()
    }
    assert len(operations) == sum(len(path) for path in app.openapi()["paths"].values())
    for name, operation in operations.items():
        assert operation["description"], name
        errors = [status for status in operation["responses"] if status >= "400"]
        assert bool(errors) is (name not in public), name
        for status in errors:
            content = operation["responses"][status]["content"]
            assert list(content) == ["application/problem+json"], (name, status)
            assert content["application/problem+json"]["schema"]["properties"]["code"]["enum"], (name, status)
