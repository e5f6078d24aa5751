"""Nodes that wait for a time, a call or a person, at an address that others get before."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.nodes.asking import Answer, WaitKind
from graph_engine.given.limits import Limits
from graph_engine.journal import records
from graph_engine.journal.outcome import Suspended
from tests.unit.graph_engine.execution import Execution, execution
from tests.unit.graph_engine.graphs import graph, last, node

LIMITS = Limits(suspend_over=5.0)
ADDRESS = "http://headrace.test/api/v1/waits/1"


def paid(timeout: Any = "1h", **keys: Any) -> dict[str, Any]:
    return node("paid", "wait", config={"event": {}, "timeout": timeout}, **keys)


def told(id: str = "told") -> dict[str, Any]:
    return node(id, config={"value": "{{ inputs.at }}"})


def order(**parts: Any) -> dict[str, Any]:
    """An order: its address is told, then it waits to be paid."""
    end = node("end", config={"value": "{{ inputs.e.body }}"})
    late = node("late", config={"value": "{{ inputs.x.at }}"})
    return graph(
        paid(),
        told(),
        end,
        late,
        edges=("paid.address -> told.at", "paid.event -> end.e", "paid.expired -> late.x"),
        **parts,
    )


def suspended(run: Execution) -> Suspended:
    assert isinstance(run.outcome, Suspended)
    return run.outcome


def test_address_is_given_to_who_needs_it_before_the_node_has_ended_and_the_run_is_suspended() -> None:
    run = execution(order(), limits=LIMITS).run()
    assert [(wait.name, wait.kind, wait.until) for wait in suspended(run).waits] == [
        ("paid", WaitKind.EVENT, 1_003_600)
    ]
    assert f'node.output told value="{ADDRESS}"' in run.story()
    early = run.resumed().run()
    assert early.outcome == run.outcome
    assert sum(line == "node.started told" for line in early.story()) == 1


def test_event_is_the_output_and_what_waits_for_the_end_follows() -> None:
    run = execution(order(), limits=LIMITS).run().resumed()
    run.runtime.answered["paid"] = Answer(1_000_010.0, {"sum": 3})
    run.run()
    assert run.ended.status == "SUCCESS"
    assert 'node.output end value={"sum": 3}' in run.story()
    assert "node.skipped late" in run.story()
    assert sum(line.startswith("node.started told") for line in run.story()) == 1


def test_wait_that_nobody_answers_expires() -> None:
    run = execution(order(), limits=LIMITS).run()
    run.set_time(suspended(run).until)
    ended = run.resumed().run()
    assert ended.ended.status == "SUCCESS"
    assert 'node.output late value="1970-01-12T14:46:40.000+00:00"' in ended.story()
    assert "node.skipped end" in ended.story()


def test_answer_that_came_at_the_last_moment_counts_when_the_time_has_come() -> None:
    run = execution(graph(paid(timeout=2), outputs={"b": "{{ nodes.paid.event.body }}"}))
    run.runtime.close = lambda key: Answer(1_000_002.0, key)  # type: ignore[method-assign]  # an answer between two looks
    assert run.run().ended.outputs == {"b": "paid"}


def test_run_that_has_other_things_to_do_takes_an_answer_meanwhile() -> None:
    document = graph(paid(), node("nap", "delay", config={"duration": 3}), last("sweep", 1))
    run = execution(document, limits=LIMITS)
    answered: list[float] = []

    def answers(keys: Any) -> Any:
        answered.append(run.clock.now())
        return {"paid": Answer(run.clock.now(), 1)} if len(answered) == 10 else {}

    run.runtime.answers = answers  # type: ignore[method-assign]  # counts the looks
    story = run.run().story()
    assert story.index("node.succeeded paid") < story.index("node.succeeded nap")
    assert answered[-1] == pytest.approx(1_000_000.9)


@pytest.mark.parametrize(("approves", "port"), [(True, "approved"), (False, "rejected")])
def test_approval_gives_who_answered_on_the_port_of_the_decision(approves: bool, port: str) -> None:
    ask = node("ask", "approval", config={"message": "Go on?", "form": {"type": "object"}})
    run = execution(graph(ask, outputs={"all": "{{ nodes.ask." + port + " }}"}), limits=LIMITS).run()
    assert [wait.kind for wait in suspended(run).waits] == [WaitKind.APPROVAL]
    run = run.resumed()
    run.runtime.answered["ask"] = Answer(1_000_010.0, {"note": "x"}, "ida", approves)
    assert run.run().ended.outputs == {
        "all": {"by": "ida", "at": "1970-01-12T13:46:50.000+00:00", "form": {"note": "x"}}
    }


@pytest.mark.parametrize(
    "config", [{"duration": 60}, {"until": "1970-01-12T13:47:40Z"}, {"until": "1970-01-12T13:47:40"}]
)
def test_wait_for_a_time_ends_then(config: dict[str, Any]) -> None:
    run = execution(
        graph(node("w", "wait", config=config), outputs={"at": "{{ nodes.w.expired.at }}"}), limits=LIMITS
    ).run()
    run.set_time(suspended(run).until)
    assert run.resumed().run().ended.outputs == {"at": "1970-01-12T13:47:40.000+00:00"}


def test_time_that_has_passed_is_no_wait_and_one_that_is_none_is_an_error() -> None:
    assert execution(graph(node("w", "wait", config={"until": "1970-01-01"}))).run().ended.status == "SUCCESS"
    wrong = execution(graph(node("w", "wait", config={"until": "soon"}))).run().ended.error
    assert wrong is not None
    assert wrong["kind"] == "bad_value"


def test_retry_waits_again_at_the_address_that_was_told() -> None:
    failing = {"id": "f", "type": "fail", "config": {"message": "no"}}
    run = execution(graph(paid(timeout=2), told(), failing, edges=("paid.address -> told.at",)))
    failed = run.stopped_at(lambda record: isinstance(record, records.Succeeded), "FAILURE")
    again = failed.retried()
    again.runtime.answered["paid"] = Answer(1_000_020.0, 1)
    again.run()
    waiting = [record for record in again.journal.durable if isinstance(record, records.Waiting)]
    assert [record.address for record in waiting] == [ADDRESS]
    assert "node.started told" not in again.story()


def test_cancel_ends_a_wait_and_takes_no_answer_any_more() -> None:
    closed: list[str] = []
    run = execution(graph(paid()), limits=LIMITS).run().resumed()
    run.runtime.close = closed.append  # type: ignore[assignment,method-assign]  # notes what is closed
    engine = run.engine()
    engine.stop("CANCELED", {"kind": "canceled", "message": "The run was canceled.", "node": None})
    engine.run()
    assert "node.failed paid canceled 1" in run.story()
