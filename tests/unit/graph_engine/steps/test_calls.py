"""Calls: the nodes of a called graph end as those of a run; tests/graphs/valid/call_* tell their whole stories."""

from __future__ import annotations

import re
from typing import Any

from graph_engine.journal import records
from tests.unit.graph_compiler.documents import document, edge, node
from tests.unit.graph_compiler.rules.test_calls import Library
from tests.unit.graph_engine.execution import Execution, execution

FAILS = "{{ 1 // 0 }}"


def call(called: dict[str, Any], **keys: Any) -> Execution:
    """A run of a graph that calls the other."""
    node = {"id": "call", "type": "graph", "config": {"graph": "called"}, **keys}
    shown = {name: f"{{{{ nodes.call.{name} | default(none) }}}}" for name in called.get("outputs", {})}
    return execution(document(nodes=[node], outputs=shown), library=Library(called))


def ends(run: Execution) -> dict[str, str]:
    final = {records.Succeeded: "succeeded", records.Failed: "failed", records.Skipped: "skipped"}
    return {
        record.place.name: final[type(record)]
        for record in run.journal.durable
        if isinstance(record, records.Succeeded | records.Failed | records.Skipped) and "/" in record.place.name
    }


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
    run = call(document(name="called", nodes=nodes, edges=edges, outputs={"all": "{{ nodes.merged.value }}"})).run()
    assert run.ended.outputs == {"all": {"told": "template_error call/bad"}}
    assert ends(run) == {
        "call/off": "skipped",
        "call/after_off": "skipped",
        "call/needs_off": "skipped",
        "call/bad": "failed",
        "call/needs_bad": "skipped",
        "call/told": "succeeded",
        "call/merged": "succeeded",
    }


def test_failure_is_that_of_the_first_node_and_what_does_not_need_it_runs() -> None:
    nodes = [node("bad", FAILS), node("needs_bad", after=["bad"]), node("other"), node("last", **{"finally": True})]
    run = call(document(name="called", nodes=nodes)).run()
    (failed,) = [
        record for record in run.journal.durable if isinstance(record, records.Failed) and record.place.name == "call"
    ]
    assert re.match("bad: .*division", failed.error["message"])
    assert (failed.error["kind"], failed.is_retryable) == ("template_error", False)
    assert (run.ended.error or {})["node"] == "call/bad"
    assert ends(run) == {"call/bad": "failed", "call/other": "succeeded", "call/last": "succeeded"}


def test_attempts_of_a_node_and_of_an_item_are_counted_and_paused() -> None:
    failing = {"id": "f", "type": "fail", "config": {"message": "no", "retryable": True}}
    retry = {"max_attempts": 3, "delay": 2, "backoff": "linear"}
    items = {**failing, "id": "g", "foreach": ["a"], "on_item_error": "collect"}
    nodes = [{**failing, "retry": retry, "on_error": "route"}, {**items, "retry": {**retry, "on": ["other"]}}]
    outputs = {"attempts": "{{ nodes.f.error.attempts }}", "errors": "{{ nodes.g.errors }}"}
    run = call(document(name="called", nodes=nodes, outputs=outputs)).run()
    failed = {"kind": "failed", "message": "no", "attempts": 1, "item": 0, "value": "a", "node": "call/g"}
    assert run.ended.outputs == {"attempts": 3, "errors": [failed]}
    retries = [record for record in run.journal.durable if isinstance(record, records.Retrying)]
    assert [record.error["delay"] for record in retries] == [2.0, 4.0]
