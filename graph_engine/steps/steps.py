"""A step begins: from scratch, or from where the journal says that it came to."""

from __future__ import annotations

from graph_compiler.language.library import GRAPH_TYPE
from graph_compiler.values.errors import NodeError
from graph_engine.journal import records
from graph_engine.journal.known import KnownStep
from graph_engine.scope.frame import Task
from graph_engine.scope.state import State
from graph_engine.steps import asking, attempts, calls, foreach, repeat
from graph_engine.steps.ending import recall, rest
from graph_engine.steps.foreach import ItemTask
from graph_engine.steps.readiness import drop
from graph_engine.steps.repeat import TurnTask


def begin(state: State, task: Task) -> None:
    """Begin the task, or take what is known of it. Work on threads is submitted; all else has its result at once."""
    if not task.is_part:
        task.take_inputs()
    known = state.known.take(task.place.key, task.index) if task.attempt == 1 else None
    if known is None or (known.is_inherited and task.node.spec.finally_):
        _begin_new(state, task, None)
    elif known.end is not None:
        recall(state, task, known)
    elif not known.attempts:
        _begin_new(state, task, known)
    elif task.frame.refuses and not (task.is_repeat or known.has_inner):
        _stop(state, task, known.attempts)
    else:
        _go_on(state, task, known)


def _begin_new(state: State, task: Task, known: KnownStep | None) -> None:
    if not task.frame.refuses:
        _start(state, task, known)
    elif task.attempt > 1:
        _stop(state, task, task.attempt - 1)
    elif isinstance(task, ItemTask):
        task.each.dropped += 1
        foreach.item_ended(state, task)
    elif isinstance(task, TurnTask):
        assert task.frame.stop is not None
        state.end(task.whole, task.frame.stop.raised)
    else:
        drop(state, task)


def _stop(state: State, task: Task, attempts: int) -> None:
    """The step had begun, and what it stands in is to end."""
    assert task.frame.stop is not None
    task.attempt = attempts
    state.end(task, task.frame.stop.raised)


def _go_on(state: State, task: Task, known: KnownStep) -> None:
    """The step has begun on another worker."""
    task.attempt = known.attempts
    if known.retry_at is not None:
        rest(state, task, max(0.0, known.retry_at - state.clock.now()))
    elif known.waits_until is not None and task.node.node_type.asks:
        asking.go_on(state, task, known)
    elif known.waits_until is not None:
        attempts.go_on_waiting(state, task, known)
    elif task.is_repeat or known.has_inner:
        _execute(state, task, known)
    elif task.is_whole or task.node.spec.type == GRAPH_TYPE or _is_harmless(task):
        _start(state, task, known, is_again=True)
    else:
        _lose(state, task)


def _is_harmless(task: Task) -> bool:
    return task.node.node_type.light and task.node.spec.repeatable is not False


def _lose(state: State, task: Task) -> None:
    """The attempt was cut, and may have had effects: it failed, unless the document says that it may be repeated."""
    spec = task.node.spec
    message = "The run's worker was lost while this was running."
    if not spec.repeatable:
        return state.end(task, NodeError("worker_lost", message, retryable=spec.repeatable is None))
    now, most = state.clock.now(), task.attempt + 1 if spec.retry is None else spec.retry.max_attempts
    error = records.attempt_error("worker_lost", message, task.attempt) | {"max_attempts": most, "delay": 0.0}
    state.append(records.Retrying(now, task.place, task.index, task.attempt, error, now))
    return rest(state, task, 0.0)


def _start(state: State, task: Task, known: KnownStep | None, *, is_again: bool = False) -> None:
    state.append(records.Began(state.clock.now(), task.place, task.index, task.attempt, is_again))
    _execute(state, task, known)


def _execute(state: State, task: Task, known: KnownStep | None) -> None:
    if task.is_foreach:
        foreach.begin(state, task, known)
    elif task.is_repeat:
        repeat.begin(state, task, known)
    elif task.node.spec.type == GRAPH_TYPE:
        calls.begin(state, task, known)
    elif task.node.node_type.asks:
        asking.begin(state, task, known)
    else:
        attempts.begin(state, task)
