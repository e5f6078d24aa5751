"""`http.request`: requests that are sent again, and who asks."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.nodes.http.http_retry import retry_after
from graph_compiler.nodes.runtime import HttpAnswer, HttpUpload
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.nodes.running import run

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


def statuses(*given: int, headers: dict[str, str] | None = None) -> MemoryRuntime:
    left = iter(given)
    return MemoryRuntime(
        answer=lambda method, url: HttpAnswer(next(left), headers or {}, None), secrets={"key": "s3cr3t"}
    )


def waits(runtime: MemoryRuntime) -> list[float]:
    return [asked for method, asked in runtime.calls if method == "wait"]


@pytest.mark.parametrize(
    ("given", "headers", "retry", "waited", "ended"),
    [
        ([503, 502, 200], {}, {}, [1.0, 2.0], 200),
        ([429, 200], {"Retry-After": "7"}, {}, [7.0], 200),
        ([429, 200], {"retry-after": "Wed, 21 Oct 2026 07:28:05 GMT", "date": DATE}, {}, [5.0], 200),
        ([500], {}, {}, [], 500),
        ([503] * 3, {}, {"delay": "2s", "max_delay": "3s"}, [2.0, 3.0], 503),
        ([429], {"retry-after": "3600"}, {}, [], 429),
    ],
)
def test_request_is_sent_again(
    given: list[int], headers: dict[str, str], retry: Any, waited: list[float], ended: int
) -> None:
    runtime = statuses(*given, headers=headers)
    answer = run("http.request", {"url": "http://x", "retry_status": retry, "fail_on_status": False}, {}, runtime)
    assert (answer["status"], waits(runtime)) == (ended, waited)


def test_timeout_of_the_node_holds_for_all_requests() -> None:
    with pytest.raises(NodeError, match="timeout: the node's timeout of 2 s is over"):
        run("http.request", {"url": "http://x", "retry_status": {}}, {}, statuses(503, 503, 503), timeout="2s")


@pytest.mark.parametrize("text", ["", "soon", "-1", "Wed, 21 Oct 2026 07:28:05", "\uff19"])
def test_retry_after_that_says_nothing_is_ignored(text: str) -> None:
    assert retry_after({"retry-after": text, "date": DATE}) is None


@pytest.mark.parametrize(
    ("auth", "headers", "query"),
    [
        (
            {"type": "basic", "username": "ann", "secret": "key"},
            {"authorization": "Basic YW5uOnMzY3IzdA=="},
            {},
        ),
        ({"type": "bearer", "secret": "key"}, {"authorization": "Bearer s3cr3t"}, {}),
        ({"type": "api_key", "secret": "key"}, {"x-api-key": "s3cr3t"}, {}),
        ({"type": "api_key", "secret": "key", "place": "query", "name": "k"}, {}, {"k": "s3cr3t"}),
    ],
)
def test_credentials_are_sent_where_they_belong(auth: Any, headers: Any, query: Any) -> None:
    runtime = statuses(200)
    run("http.request", {"url": "http://x", "auth": auth}, {}, runtime)
    call = runtime.calls[0][1]
    assert (call["headers"], call["params"]) == (headers, query)
    assert call.get("private_headers", frozenset()) == frozenset(headers)


@pytest.mark.parametrize(
    ("config", "upload"),
    [
        ({"form": {"a": 1, "b": ["x", True]}}, HttpUpload({"a": "1", "b": ["x", "true"]})),
        ({"file": "a.csv"}, HttpUpload(file="files:a.csv")),
        (
            {"form": {"a": "b"}, "files": {"f": {"$file": "files:x/y.txt"}}},
            HttpUpload({"a": "b"}, {"f": "files:x/y.txt"}),
        ),
    ],
)
def test_form_and_files_are_uploaded(config: dict[str, Any], upload: HttpUpload) -> None:
    runtime = statuses(200)
    run("http.request", {"url": "http://x", "method": "POST", **config}, {}, runtime)
    assert runtime.calls[0][1]["upload"] == upload
