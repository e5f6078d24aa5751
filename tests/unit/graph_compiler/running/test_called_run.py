"""Calls that are one step; tests/graphs/valid/call_* tell their whole stories."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.language.library import Calls
from graph_compiler.running.execution import run_node
from graph_compiler.running.graph_node import with_calls
from graph_compiler.running.plan import plan_graph
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.documents import document, edge, node, spec
from tests.unit.graph_compiler.rules.test_calls import Library

FAILS = "{{ 1 // 0 }}"


def run(called: dict[str, Any], runtime: MemoryRuntime, **keys: Any) -> dict[str, Any]:
    """The outputs of a call with `on_error: continue`, so that it is one step."""
    call = {"id": "call", "type": "graph", "config": {"graph": "called"}, "on_error": "continue", **keys}
    types = with_calls(builtin_node_types(), Calls(Library(called)))
    return run_node(plan_graph(spec(nodes=[call]), types).nodes[call["id"]], {}, runtime)


def ends(runtime: MemoryRuntime) -> dict[str, str]:
    final = ("node.succeeded", "node.failed", "node.skipped")
    return {event["node"]: event["type"] for event in runtime.events if event["type"] in final}


def test_branches_end_as_in_a_run() -> None:
    nodes = [
        node("off", when=False),
        node("after_off", after=["off"]),
        node("needs_off", "{{ inputs.x }}"),
        {"id": "merged", "type": "merge", "config": {"mode": "object"}},
        node("bad", FAILS, on_error="route"),
        node("told", "{{ inputs.e.kind }} {{ inputs.e.node }}"),
        node("needs_bad", "{{ inputs.x }}"),
    ]
    edges = [
        edge("off.value", "needs_off.x"),
        edge("off.value", "merged.off"),
        edge("told.value", "merged.told"),
        edge("bad.error", "told.e"),
        edge("bad.value", "needs_bad.x"),
    ]
    called = document(name="called", nodes=nodes, edges=edges, outputs={"all": "{{ nodes.merged.value }}"})
    runtime = MemoryRuntime()
    assert run(called, runtime) == {"all": {"told": "template_error call/bad"}}
    assert ends(runtime) == {
        "call/off": "node.skipped",
        "call/after_off": "node.skipped",
        "call/needs_off": "node.skipped",
        "call/bad": "node.failed",
        "call/needs_bad": "node.skipped",
        "call/told": "node.succeeded",
        "call/merged": "node.succeeded",
    }


def test_failure_is_that_of_the_first_node_and_what_does_not_need_it_runs() -> None:
    nodes = [node("bad", FAILS), node("needs_bad", after=["bad"]), node("other"), node("last", **{"finally": True})]
    runtime = MemoryRuntime()
    with pytest.raises(NodeError, match=r"template_error: bad: .*division") as raised:
        run(document(name="called", nodes=nodes), runtime)
    assert not raised.value.retryable
    assert ends(runtime) == {
        "call/bad": "node.failed",
        "call/other": "node.succeeded",
        "call/last": "node.succeeded",
    }


def test_attempts_of_a_node_and_of_an_item_are_counted_and_paused() -> None:
    failing = {"id": "f", "type": "fail", "config": {"message": "no", "retryable": True}}
    retry = {"max_attempts": 3, "delay": 2, "backoff": "linear"}
    items = {**failing, "id": "g", "foreach": ["a"], "on_item_error": "collect"}
    nodes = [{**failing, "retry": retry, "on_error": "route"}, {**items, "retry": {**retry, "on": ["other"]}}]
    outputs = {"attempts": "{{ nodes.f.error.attempts }}", "errors": "{{ nodes.g.errors }}"}
    runtime = MemoryRuntime()
    answered = run(document(name="called", nodes=nodes, outputs=outputs), runtime)
    failed = {"kind": "failed", "message": "no", "attempts": 1, "item": 0, "value": "a", "node": "call/g"}
    assert answered == {"attempts": 3, "errors": [failed]}
    assert [asked for method, asked in runtime.calls if method == "wait" and asked] == [2.0, 4.0]


def test_time_of_the_call_ends_it_and_what_runs_last_still_does() -> None:
    def nap(id: str) -> dict[str, Any]:
        return {"id": id, "type": "delay", "config": {"duration": 3}}

    last = node("last", "{{ run.status }} {{ run.error.kind }}", **{"finally": True})
    runtime = MemoryRuntime()
    nodes = [nap("one"), {**nap("two"), "after": ["one"]}, {**nap("three"), "after": ["two"]}, last]
    with pytest.raises(NodeError, match="timeout: the called graph did not end within 5 s"):
        run(document(name="called", nodes=nodes), runtime, timeout=5)
    assert runtime.time == 5
    assert ends(runtime) == {"call/one": "node.succeeded", "call/two": "node.failed", "call/last": "node.succeeded"}
    shown = [event["data"]["value"] for event in runtime.events if event["type"] == "node.output"]
    assert shown[-1] == "FAILURE timeout"


def test_a_cancel_ends_it_at_once() -> None:
    class Canceled(MemoryRuntime):
        def wait(self, seconds: float) -> None:
            if seconds:
                raise NodeError("canceled", "the run was canceled", retryable=False)

    runtime = Canceled()
    nodes = [
        {"id": "nap", "type": "delay", "config": {"duration": 1}, "on_error": "continue"},
        node("b", after=["nap"]),
    ]
    with pytest.raises(NodeError, match="canceled"):
        run(document(name="called", nodes=nodes), runtime)
    assert ends(runtime) == {"call/nap": "node.failed"}


def test_results_are_remembered_by_the_way_to_the_node() -> None:
    cached = node("a", "{{ params.x }}", cache={"key": 1, "ttl": "1h"})
    params = {"type": "object", "properties": {"x": {}}}
    called = document(name="called", nodes=[cached], params=params, outputs={"x": "{{ nodes.a.value }}"})
    runtime = MemoryRuntime()

    def called_by(id: str, x: int) -> dict[str, Any]:
        return run(called, runtime, id=id, config={"graph": "called", "params": {"x": x}})

    assert [called_by("b", 1), called_by("c", 2), called_by("b", 3)] == [{"x": 1}, {"x": 2}, {"x": 1}]
