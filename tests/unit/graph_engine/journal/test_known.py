"""What a journal proves, and what a retry from failure takes of it. test_going_on has both at work."""

from __future__ import annotations

from graph_engine.journal.known import Known, KnownStep, calls_around
from tests.unit.graph_engine.execution import execution
from tests.unit.graph_engine.graphs import call, called, graph, node


def test_calls_around_a_place_are_told_with_the_attempt_it_belongs_to() -> None:
    assert list(calls_around("a[2]~3/b/c~2/d")) == [(("a", 2), 3), (("a[2]~3/b", None), 1), (("a[2]~3/b/c", None), 2)]
    assert list(calls_around("d")) == []


def test_retry_takes_the_last_attempt_of_each_call_in_the_place_of_the_first() -> None:
    failing = {"id": "f", "type": "fail", "config": {"message": "no", "retryable": True}, "after": ["a"]}
    library = called(node("a"), failing)
    document = graph(call("c", foreach=[5, 6], retry={"max_attempts": 3, "delay": 0}), node("b"))
    run = execution(document, library=library).run()
    again = run.journal.known().again()
    assert all(step.is_inherited for step in again.steps.values())
    assert again.started_at is None
    shown = {key: (step.end, step.items, step.params, step.attempts) for key, step in again.steps.items()}
    assert shown == {
        ("b", None): ("succeeded", None, None, 1),
        ("c", None): (None, [5, 6], None, 0),
        ("c", 0): (None, None, {}, 0),
        ("c", 1): (None, None, {}, 0),
        ("c[0]/a", None): ("succeeded", None, None, 1),
        ("c[1]/a", None): ("succeeded", None, None, 1),
    }


def test_step_is_taken_once() -> None:
    known = Known()
    known.step("a").attempts = 1
    assert known.take("a", None) == KnownStep(attempts=1)
    assert known.take("a", None) is None
