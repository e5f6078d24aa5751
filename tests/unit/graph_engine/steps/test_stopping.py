"""Ending a run, or a call, early: cancel, the run's timeout, a call's timeout. What runs last does at every depth."""

from __future__ import annotations

from typing import Any

import pytest

from graph_engine.engine import Engine
from graph_engine.given.limits import Limits
from graph_engine.journal import records
from graph_engine.journal.outcome import Ended
from graph_engine.testing.memory_journal import MemoryJournal
from tests.unit.graph_engine.execution import Execution, RealClock, execution
from tests.unit.graph_engine.graphs import call, called, graph, last, node
from tests.unit.graph_engine.node_types import Counted, types_with

CANCELED = {"kind": "canceled", "message": "The run was canceled.", "node": None}


def begins(name: str) -> Any:
    return lambda record: isinstance(record, records.Began) and record.place.name == name


def run_of(document: dict[str, Any], **keys: Any) -> Execution:
    return execution(document, node_types=types_with(), **{"clock": RealClock(), **keys})


def test_cancel_ends_what_runs_and_what_waits_and_what_runs_last_sees_it() -> None:
    document = graph(
        node("nap", "nap"),
        node("pause", "delay", config={"duration": 50}),
        node("failing", "fail", config={"message": "no", "retryable": True}, retry={"max_attempts": 3, "delay": 50}),
        node("after", after=["nap"]),
        last("sweep", "{{ run.status }} {{ run.error.kind }} {{ inputs.x is defined }}"),
        edges=("after.value -> sweep.x",),
    )
    run = run_of(document).stopped_at(begins("pause"))
    assert run.ended == Ended("CANCELED", CANCELED)
    assert run.story()[2:] == [
        "node.started failing",
        "node.retrying failing failed 1",
        "node.started nap",
        "node.started pause",
        "node.failed failing canceled 1",
        "node.failed pause canceled 1",
        "node.failed nap canceled 1",
        "node.started sweep",
        'node.output sweep value="CANCELED canceled false"',
        "node.succeeded sweep",
        "run.canceled",
    ]


def test_cancel_ends_calls_and_items_from_within_and_their_last_nodes_run() -> None:
    library = called(node("nap", "nap"), last("sweep", "{{ run.status }}"))
    run = run_of(
        graph(call("each", foreach=[1, 2, 3], max_parallel=2), last("all", "{{ run.status }}")), library=library
    ).stopped_at(begins("each[1]/nap"))
    assert run.ended == Ended("CANCELED", CANCELED)
    assert sorted(run.story()[2:]) == sorted([
        "node.started each",
        *(f"node.started each[{item}]" for item in (0, 1)),
        *(f"node.started each[{item}]/nap" for item in (0, 1)),
        *(f"node.failed each[{item}]/nap canceled 1" for item in (0, 1)),
        *(f"node.started each[{item}]/sweep" for item in (0, 1)),
        *(f'node.output each[{item}]/sweep value="CANCELED"' for item in (0, 1)),
        *(f"node.succeeded each[{item}]/sweep" for item in (0, 1)),
        *(f"node.failed each[{item}] canceled 1" for item in (0, 1)),
        "node.failed each canceled 1",
        "node.started all",
        'node.output all value="CANCELED"',
        "node.succeeded all",
        "run.canceled",
    ])  # fmt: skip


def test_timeout_of_the_run_ends_it() -> None:
    document = graph(node("nap", "nap"), last("sweep", "{{ run.error.kind }}"))
    run = run_of(document, limits=Limits(timeout=0.05)).run()
    assert run.ended.status == "FAILURE"
    assert run.ended.error is not None
    assert run.ended.error["kind"] == "run_timeout"
    assert run.story()[-3:] == ['node.output sweep value="run_timeout"', "node.succeeded sweep", "run.failed"]


def test_timeout_of_a_call_ends_it_alone_and_its_last_nodes_run() -> None:
    slow = node("slow", "delay", config={"duration": 30})
    library = called(slow, node("after", after=["slow"]), last("sweep", "{{ run.status }} {{ run.error.kind }}"))
    document = graph(
        call("call", timeout=3, on_error="route"), node("kind", config={"value": "{{ inputs.e.kind }}"}),
        edges=("call.error -> kind.e",), outputs={"kind": "{{ nodes.kind.value }}"},
    )  # fmt: skip
    run = execution(document, library=library, node_types=types_with()).run()
    assert run.ended == Ended("SUCCESS", None, {"kind": "timeout"})
    assert 'node.output call/sweep value="FAILURE timeout"' in run.story()
    assert not any("call/after" in line for line in run.story())


def test_what_runs_last_has_a_time_of_grace() -> None:
    stuck = last("stuck", 1) | {"type": "delay", "config": {"duration": "10m"}}
    document = graph(node("one", "delay", config={"duration": 5}), stuck, {**last("then", 1), "after": ["stuck"]})
    run = execution(document, limits=Limits(timeout=3)).run()
    assert run.ended.status == "FAILURE"
    assert "node.failed stuck canceled 1" in run.story() or "node.failed stuck timeout 1" in run.story()
    assert not any("then" in line for line in run.story())
    assert run.clock.now() - 1_000_000.0 == pytest.approx(63, abs=0.1)


def test_node_that_keeps_no_timeout_is_interrupted() -> None:
    run = run_of(graph(node("deaf", "deaf", timeout=0.01), last("sweep", 1))).run()
    assert run.ended.error is not None
    assert run.ended.error["kind"] == "timeout"
    assert run.story()[-1] == "run.failed deaf"


def test_stop_before_the_run_begins_lets_only_what_runs_last_run() -> None:
    run = run_of(graph(node("a"), last("sweep", "{{ run.status }}")))
    engine: Engine = run.engine()
    engine.stop("CANCELED", CANCELED)
    assert engine.run() == Ended("CANCELED", CANCELED)
    assert run.story()[2:] == [
        "node.started sweep", 'node.output sweep value="CANCELED"', "node.succeeded sweep", "run.canceled",
    ]  # fmt: skip


def test_stopping_is_gone_on_with_after_a_loss_wherever_it_comes() -> None:
    library = called(node("a"), node("nap", "nap", after=["a"], repeatable=True), last("sweep", "{{ run.status }}"))
    document = graph(call("each", foreach=[1, 2]), last("all", "{{ run.status }}"))
    whole = run_of(document, library=library).stopped_at(begins("each[1]/nap"))
    told = whole.journal.durable
    stopping = next(number for number, record in enumerate(told) if isinstance(record, records.RunStopping))
    for upto in range(stopping + 1, len(told)):
        again = whole.resumed(upto).run()
        assert again.ended == whole.ended
        ends = [line for line in again.story() if line.startswith(("node.succeeded", "node.failed"))]
        assert sorted(ends) == sorted(line for line in whole.story() if line.startswith(("node.succ", "node.fail")))


def test_journal_that_is_lost_ends_the_execution_and_what_its_nodes_do() -> None:
    class Lost(MemoryJournal):
        def commit(self) -> None:
            raise RuntimeError("another worker has this run")

    run = run_of(graph(node("nap", "nap")))
    run.journal = Lost()
    with pytest.raises(RuntimeError, match="another worker"):
        run.run()
    assert run.runtime.canceled.is_set()


def test_max_parallel_and_processors_hold_at_every_depth() -> None:
    counted = Counted()
    types = types_with(counted)
    library = called(*(node(f"n{number}", "transform") for number in range(2)))
    nodes = [node(f"c{number}", "counted") for number in range(10)]
    document = graph(*nodes, node("each", "counted", foreach=list(range(20))), call("call"))
    run = execution(document, node_types=types, library=library, max_parallel=3, clock=RealClock()).run()
    assert run.ended.status == "SUCCESS"
    assert (counted.most, counted.total) == (3, 30)
