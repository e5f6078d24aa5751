"""`http.request`."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.nodes.runtime import HttpAnswer
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.documents import found
from tests.unit.graph_compiler.nodes.running import run


def answering(status: int = 200, body: Any = None, **runtime: Any) -> MemoryRuntime:
    return MemoryRuntime(answer=lambda method, url: HttpAnswer(status, {"Content-Type": "x"}, body), **runtime)


def test_request_is_rendered_with_params_inputs_and_secrets() -> None:
    runtime = answering(201, {"ok": True}, params={"id": 7}, secrets={"token": "t0k3n"})
    config = {
        "url": "http://x/{{ params.id }}",
        "method": "{{ inputs.method }}",
        "headers": {"authorization": "Bearer {{ secrets.token }}"},
        "query": {"a": "{{ params.id }}", "b": ["x", "y"], "c": None},
        "json": {"id": "{{ params.id }}"},
        "timeout": "10s",
    }
    assert run("http.request", config, {"method": "POST"}, runtime) == {
        "status": 201,
        "headers": {"content-type": "x"},
        "body": {"ok": True},
    }
    assert runtime.calls == [
        (
            "http",
            {
                "method": "POST",
                "url": "http://x/7",
                "headers": {"authorization": "Bearer t0k3n"},
                "params": {"a": 7, "b": ["x", "y"]},
                "json": {"id": 7},
                "body": None,
                "timeout": 10.0,
            },
        )
    ]


def test_shorter_of_both_timeouts_counts() -> None:
    runtime = answering()
    run("http.request", {"url": "http://x"}, {}, runtime, timeout="2s")
    assert runtime.calls[0][1]["timeout"] == 2.0


@pytest.mark.parametrize("status", [400, 503])
def test_answer_of_400_or_above_fails_unless_asked_otherwise(status: int) -> None:
    with pytest.raises(NodeError, match=f"http_status: GET answered {status}"):
        run("http.request", {"url": "http://x"}, {}, answering(status))
    config = {"url": "http://x", "fail_on_status": False}
    assert run("http.request", config, {}, answering(status))["status"] == status


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"url": "http://x", "headers": {"a": "{{ secrets.nothing }}"}}, "secret_missing"),
        ({"url": "{{ params }}"}, "bad_config"),
        ({"url": "http://x", "method": "{{ run.graph }}"}, "bad_config"),
        ({"url": "http://x"}, "http_unreachable"),
    ],
)
def test_failure_has_its_kind(config: dict[str, Any], kind: str) -> None:
    with pytest.raises(NodeError) as raised:
        run("http.request", config)
    assert raised.value.kind == kind


def test_config_is_checked_before_it_is_rendered() -> None:
    config = {"url": "http://x", "method": "FETCH", "json": 1, "body": "{{ params.x }}", "timeout": "{{ params.x }}"}
    nodes = [{"id": "h", "type": "http.request", "config": config}]
    assert found(nodes=nodes, params={"additionalProperties": True}) == [
        ("bad_value", "/nodes/0/config/method"),
        ("bad_duration", "/nodes/0/config/timeout"),
    ]
