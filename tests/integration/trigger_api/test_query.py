"""No route of the application ignores a query parameter that it does not know."""

from __future__ import annotations

import re

import httpx
from fastapi import FastAPI

from tests.integration.trigger_api.conftest import API


def test_every_route_refuses_an_unknown_parameter(app: FastAPI, admin: httpx.Client) -> None:
    answers = {}
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            if not path.startswith("/hooks/"):
                address = re.sub(r"\{[^}]+\}", "x", path)
                answers[f"{method} {path}"] = admin.request(method, f"{address}?colour=red")
    assert len(answers) > 30
    for route, answer in answers.items():
        issues = [issue["path"] for issue in answer.json().get("issues", [])]
        assert (answer.status_code, "/colour" in issues) == (422, True), (route, answer.text)


def test_a_slip_in_a_parameter_names_the_right_one(admin: httpx.Client) -> None:
    answer = admin.get(f"{API}/runs?statuss=FAILURE").json()
    assert (
        answer["detail"]
        == "The query is malformed: `statuss`: there is no such query parameter (did you mean `status`?)."
    )
    assert answer["issues"] == [
        {
            "code": "unknown_parameter",
            "in": "query",
            "path": "/statuss",
            "message": "there is no such query parameter",
            "hint": "did you mean `status`?",
        }
    ]
