"""No address of the stream application ignores a query parameter that it does not know, or that is malformed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy.engine import Engine

from platform_core.identity.user_store import User
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import create_run

Serve = Callable[..., Served]


def test_every_route_refuses_an_unknown_parameter(serve: Serve, token: str) -> None:
    served = serve()
    answers = {}
    for path, operations in served.http.get(f"{served.url}/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            refusals = operation["responses"]["422"]["content"]["application/problem+json"]["schema"]["properties"]
            assert "invalid_request" in refusals["code"]["enum"], path
            address = f"{served.url}{re.sub(r'{[^}]+}', 'x', path)}?colour=red"
            answers[path] = served.http.request(method, address, headers={"Authorization": f"Bearer {token}"})
    assert len(answers) >= 7
    for path, answer in answers.items():
        assert (answer.status_code, answer.json()["issues"][0]["path"]) == (422, "/colour"), path


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("type=log", 422, "invalid_request"),
        ("window=3", 422, "invalid_request"),
        ("follow=maybe", 422, "invalid_request"),
        ("cursor=1&cursor=2", 422, "invalid_request"),
        ("types=log&types=stdout", 422, "invalid_request"),
        ("level=" + "x" * 21, 422, "invalid_request"),
        ("level=loud", 400, "bad_filter"),
        ("types=", 400, "bad_filter"),
        ("cursor=x", 400, "bad_cursor"),
        ("cursor=99", 400, "bad_cursor"),
    ],
)
def test_a_stream_with_a_malformed_query_is_refused(
    serve: Serve, token: str, engine: Engine, owner: User, query: str, status: int, code: str
) -> None:
    run_id, served = create_run(engine, owner), serve()
    address = f"{served.url}/api/v1/runs/{run_id}/events?{query}"
    answer = served.http.get(address, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_malformed_cursor_is_refused_also_where_the_header_wins(
    serve: Serve, token: str, engine: Engine, owner: User
) -> None:
    run_id, served = create_run(engine, owner), serve()
    headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": "1"}
    answer = served.http.get(f"{served.url}/api/v1/runs/{run_id}/events?cursor=x", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize("query", ["", "?ticket=x"])
def test_the_page_of_a_run_takes_a_ticket_for_its_script(serve: Serve, query: str) -> None:
    served = serve()
    assert served.http.get(f"{served.url}/watch/run{query}").status_code == 200
