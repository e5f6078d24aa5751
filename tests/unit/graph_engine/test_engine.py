"""What the engine promises beside the language: every run ends, live lines, flat memory, values that cannot be kept."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from graph_compiler.nodes.node_type import NodeCall
from graph_compiler.values.errors import NodeError
from graph_engine.journal import records
from graph_engine.testing.memory_journal import MemoryJournal
from tests.unit.graph_engine.execution import RealClock, execution
from tests.unit.graph_engine.graphs import call, called, called_with, graph, node
from tests.unit.graph_engine.node_types import Counted, Empty, types_with


def chain(length: int) -> dict[str, Any]:
    nodes = [node("n0"), *(node(f"n{n}", config={"value": "{{ inputs.x + 1 }}"}) for n in range(1, length))]
    edges = tuple(f"n{n - 1}.value -> n{n}.x" for n in range(1, length))
    return graph(*nodes, edges=edges, outputs={"end": f"{{{{ nodes.n{length - 1}.value }}}}"})


def test_chain_of_thousands_needs_no_recursion() -> None:
    run = execution(chain(3000)).run()
    assert run.ended.outputs == {"end": 3000}
    assert run.resumed(5000).run().ended.outputs == {"end": 3000}


def test_items_are_kept_flat_and_in_order() -> None:
    each = node("each", foreach=list(range(3000)), config={"value": "{{ item * 2 }}"})
    run = execution(graph(each, outputs={"all": "{{ nodes.each.value }}"})).run()
    assert run.ended.outputs == {"all": [item * 2 for item in range(3000)]}


def test_line_of_a_node_is_durable_while_it_runs() -> None:
    def during(call: NodeCall[Empty]) -> None:
        call.publish_line("stdout", "here")
        while "stdout said here" not in run.story():
            call.runtime.wait(0.001)

    document = graph(node("said", "counted"))
    run = execution(document, node_types=types_with(Counted(during)), clock=RealClock())
    assert run.run().story()[2:5] == ["node.started said", "stdout said here", "node.output said value=1"]


def test_light_type_that_turns_out_slow_is_given_threads() -> None:
    class Slow(Counted):
        name = "slow"
        light = True

        def execute(self, call: NodeCall[Empty]) -> Mapping[str, Any]:
            call.runtime.wait(0.1)
            threads.append(threading.get_ident())
            return {"value": 1}

    threads: list[int] = []
    nodes = [node(f"n{number}", "slow") for number in range(3)]
    run = execution(graph(*nodes), node_types=types_with(Slow()), clock=RealClock()).run()
    assert run.ended.status == "SUCCESS"
    assert [thread == threading.get_ident() for thread in threads] == [True, False, False]


def test_value_that_cannot_be_kept_fails_its_step_whatever_on_error_says() -> None:
    class Small(MemoryJournal):
        def append(self, record: records.Record) -> None:
            if isinstance(record, records.Succeeded) and record.place.name == "big":
                raise NodeError("value_too_large", "output value: too large", retryable=False)
            super().append(record)

    run = execution(graph(node("big", on_error="continue", retry={"max_attempts": 3}), node("other")))
    run.journal = Small()
    ended = run.run().ended
    assert ended.error == {
        "kind": "value_too_large",
        "message": "output value: too large",
        "attempts": 1,
        "node": "big",
    }
    assert run.story()[-1] == "run.failed big"


def test_nodes_of_a_call_run_side_by_side_whatever_its_keys() -> None:
    together = threading.Barrier(4)
    counted = Counted(lambda call: together.wait(10))
    types = types_with(counted)
    library = called_with(types, *(node(f"n{number}", "counted") for number in range(4)))
    document = graph(call("c", retry={"max_attempts": 2}, timeout=60, on_error="continue"))
    run = execution(document, library=library, node_types=types, clock=RealClock(), max_parallel=4).run()
    assert run.ended.status == "SUCCESS"
    assert counted.most == 4


def test_result_of_a_call_is_remembered_as_that_of_any_node() -> None:
    cached = call("c", cache={"key": 1, "ttl": "1h"})
    library = called(node("a"), outputs={"a": "{{ nodes.a.value }}"})
    run = execution(graph(cached, outputs={"a": "{{ nodes.c.a }}"}), library=library).run()
    assert any("c/a" in line for line in run.story())
    again = run.resumed(0).run()
    assert again.ended.outputs == {"a": 1}
    assert not any("c/a" in line for line in again.story())


@pytest.mark.parametrize("value", ["{{ 1 // 0 }}", "{{ nothing }}"])
def test_outputs_that_cannot_be_rendered_fail_the_run(value: str) -> None:
    run = execution(graph(node("a"), outputs={"o": value.replace("nothing", "nodes.a.value.b.c")})).run()
    assert run.ended.status == "FAILURE"
    assert run.ended.error is not None
    assert (run.ended.error["kind"], run.ended.error["node"]) == ("template_error", None)
    assert run.resumed().run().ended == run.ended


def test_error_of_a_run_names_the_node_that_failed_first_at_whatever_depth() -> None:
    library = called({"id": "f", "type": "fail", "config": {"message": "no"}})
    run = execution(graph(call("c", foreach=["x"], retry={"max_attempts": 2})), library=library).run()
    assert run.ended.error == {"kind": "failed", "message": "no", "attempts": 1, "node": "c[0]/f"}
    assert run.story()[-2] == "node.failed c failed 1"
