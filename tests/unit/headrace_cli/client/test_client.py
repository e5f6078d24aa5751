"""Requests and their refusals; the transport is httpx's own stand-in for a network."""

from __future__ import annotations

import httpx
import pytest

from headrace_cli.client.client import Client, Refused, segment
from headrace_cli.client.connection import Server
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode

SERVER = Server("http://headrace.test", "token")


def client(*answers: httpx.Response | Exception) -> tuple[Client, list[httpx.Request]]:
    requests: list[httpx.Request] = []
    remaining = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        given = next(remaining)
        if isinstance(given, Exception):
            raise given
        return given

    return Client(SERVER, transport=httpx.MockTransport(answer)), requests


def test_request_carries_the_token() -> None:
    asked, requests = client(httpx.Response(200, json={"x": 1}))
    assert asked.get("graphs", limit=3, cursor=None) == {"x": 1}
    assert str(requests[0].url) == "http://headrace.test/api/v1/graphs?limit=3"
    assert requests[0].headers["Authorization"] == "Bearer token"


def test_problem_document_becomes_an_error_with_its_issues() -> None:
    issue = {"code": "cycle"}
    problem = {"status": 422, "code": "invalid_graph", "detail": "1 issue.", "issues": [issue]}
    asked, _ = client(httpx.Response(422, json=problem))
    with pytest.raises(Refused) as refusal:
        asked.send("POST", "graphs")
    assert (refusal.value.status, refusal.value.code, refusal.value.message) == (422, "invalid_graph", "1 issue.")
    assert refusal.value.issues == [issue]
    assert refusal.value.exit_code is ExitCode.REFUSED


def test_answer_of_something_else_is_no_headrace_server() -> None:
    asked, _ = client(httpx.Response(404, text="<html>nginx</html>"))
    with pytest.raises(Refused, match="does not look like a Headrace server"):
        asked.get("graphs")


def test_nobody_listening_is_unreachable() -> None:
    asked, _ = client(httpx.ConnectError("Connection refused"))
    with pytest.raises(CommandError, match=r"http://headrace\.test does not answer: Connection refused\.") as error:
        asked.get("graphs")
    assert error.value.exit_code is ExitCode.UNREACHABLE


def test_busy_server_is_asked_again_after_the_time_it_names() -> None:
    busy = httpx.Response(503, headers={"Retry-After": "0"}, json={"code": "unavailable"})
    asked, requests = client(busy, busy, httpx.Response(200, json=[]))
    assert asked.get("graphs") == []
    assert len(requests) == 3


def test_server_that_stays_busy_is_an_error() -> None:
    busy = httpx.Response(503, headers={"Retry-After": "0"}, json={"code": "unavailable", "detail": "No database."})
    asked, _ = client(*[busy] * 5)
    with pytest.raises(Refused, match=r"No database\."):
        asked.get("graphs")


def test_items_are_read_over_as_many_pages_as_it_takes() -> None:
    pages = [{"items": [1, 2], "next_cursor": "c"}, {"items": [3], "next_cursor": None}]
    asked, requests = client(*[httpx.Response(200, json=page) for page in pages])
    assert list(asked.items("runs", 10, graph="g")) == [1, 2, 3]
    assert requests[1].url.params["cursor"] == "c"
    assert requests[1].url.params["limit"] == "8"


@pytest.mark.parametrize(("text", "path"), [("a/b", "a%2Fb"), ("ann~g", "ann~g"), ("..", ".."), ("a b", "a%20b")])
def test_name_is_one_segment_of_a_path(text: str, path: str) -> None:
    assert segment(text) == path
