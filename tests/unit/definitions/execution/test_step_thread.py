"""Steps that are interrupted: the exception reaches the node, and nothing that its thread does afterwards."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from definitions.execution import step_thread
from definitions.execution.step_thread import NodeStuck, RunningStep, StepThreads
from tests.waiting import wait_until

Steps = dict[str, Callable[[], Iterator[str]]]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """What each step does, by its key: a generator stands for Dagster's body of a step."""
    known: Steps = {}
    monkeypatch.setattr(step_thread, "dagster_event_sequence_for_step", lambda context: known[context.step.key]())
    return known


@pytest.fixture
def threads() -> Iterator[StepThreads]:
    threads = StepThreads()
    yield threads
    threads.close()


def running(key: str, put: Callable[[Any], None]) -> RunningStep:
    context: Any = SimpleNamespace(step=SimpleNamespace(key=key, tags={}), previous_attempt_count=0)
    return RunningStep(context, put)


def spin(until: threading.Event) -> None:
    """Execute Python until the event: an exception can be raised there, as it cannot in a wait."""
    while not until.is_set():
        time.sleep(0.001)


def test_interrupt_reaches_the_node(steps: Steps, threads: StepThreads) -> None:
    begun, never = threading.Event(), threading.Event()

    def node() -> Iterator[str]:
        begun.set()
        try:
            spin(never)
        except NodeStuck:
            yield "failed"

    steps["node"] = node
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    step = running("node", told.put)
    threads.run(step)
    assert begun.wait(30)
    step.interrupt()
    assert [told.get(timeout=30), told.get(timeout=30)] == ["failed", step]
    assert (step.error, step.was_interrupted) == (None, False)


def test_interrupt_between_a_steps_end_and_the_next_step_reaches_neither(steps: Steps, threads: StepThreads) -> None:
    """The exception is sent when the first step has given its last event, and its thread waits to say that it ended."""
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    step = running("first", told.put)
    is_held = threading.Event()

    def first() -> Iterator[str]:
        yield "succeeded"
        is_held.set()
        # Only now, so that the thread has told all that it has to tell, and stands before the lock.
        wait_until(step._lock.locked, "the lock is held")

    steps["first"] = first
    steps["second"] = lambda: iter(["second succeeded"])
    threads.run(step)
    assert is_held.wait(30)
    with step._lock:
        assert told.get(timeout=30) == "succeeded"
        assert step._ident is not None
        step_thread._raise_in(step._ident, NodeStuck)
    assert told.get(timeout=30) is step
    assert step.error is None
    second = running("second", told.put)
    threads.run(second)
    assert [told.get(timeout=30), told.get(timeout=30)] == ["second succeeded", second]
    assert (second.error, second.was_interrupted) == (None, False)
    assert threads._count == 1


def test_interrupt_during_the_report_of_the_last_event_leaves_the_step_as_it_ended(
    steps: Steps, threads: StepThreads
) -> None:
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    is_telling, is_sent = threading.Event(), threading.Event()

    def put(event: Any) -> None:
        told.put(event)
        if event == "succeeded":
            is_telling.set()
            spin(is_sent)
            for _ in range(1000):
                time.sleep(0)

    steps["first"] = lambda: iter(["succeeded"])
    steps["second"] = lambda: iter(["second succeeded"])
    step = running("first", put)
    threads.run(step)
    assert is_telling.wait(30)
    step.interrupt()
    is_sent.set()
    assert [told.get(timeout=30), told.get(timeout=30)] == ["succeeded", step]
    assert (step.error, step.was_interrupted) == (None, True)
    second = running("second", told.put)
    threads.run(second)
    assert [told.get(timeout=30), told.get(timeout=30)] == ["second succeeded", second]
    assert (second.error, second.was_interrupted) == (None, False)


def test_interrupt_after_the_end_reaches_nobody(steps: Steps, threads: StepThreads) -> None:
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    steps["first"] = lambda: iter(["succeeded"])
    steps["second"] = lambda: iter(["second succeeded"])
    step, second = running("first", told.put), running("second", told.put)
    threads.run(step)
    assert [told.get(timeout=30), told.get(timeout=30)] == ["succeeded", step]
    step.interrupt()
    threads.run(second)
    assert [told.get(timeout=30), told.get(timeout=30)] == ["second succeeded", second]
    assert (second.error, second.was_interrupted) == (None, False)


def test_step_that_is_given_up_before_a_thread_takes_it_is_not_executed(steps: Steps, threads: StepThreads) -> None:
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    steps["late"] = lambda: iter(["never"])
    step = running("late", told.put)
    step.interrupt()
    threads.run(step)
    assert told.get(timeout=30) is step
    assert told.empty()
