"""What follows from the result of an attempt: an end, another attempt, or what `on_error` makes of a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph_compiler.nodes.node_ports import ERROR_PORT
from graph_compiler.running.execution import is_tried_again
from graph_compiler.values.errors import NodeError, Stopped
from graph_engine.journal import records
from graph_engine.journal.known import KnownStep
from graph_engine.journal.records import Error
from graph_engine.scope.frame import NO_VALUES, Blame, Cut, Result, Task, Unwanted
from graph_engine.scope.state import State
from graph_engine.steps import foreach, repeat
from graph_engine.steps.foreach import ItemFailure, ItemTask
from graph_engine.steps.readiness import settle
from graph_engine.steps.repeat import TurnTask
from graph_engine.steps.retry import delay_before


def end(state: State, task: Task, result: Result) -> None:
    """Take the result of the task's attempt."""
    if isinstance(result, NodeError):
        _fail(state, task, result, None)
    elif isinstance(result, Cut):
        _fail(state, task, result.error, result)
    elif isinstance(result, Unwanted):
        state.append(records.Skipped(state.clock.now(), task.place, is_unwanted=True))
        settle(state, task, "skipped")
    else:
        try:
            state.append(records.Succeeded(state.clock.now(), task.place, task.index, task.attempt, result))
        except NodeError as refused:
            _fail(state, task, refused, None, is_final=True)
        else:
            _give(state, task, result)


def recall(state: State, task: Task, known: KnownStep) -> None:
    """Take the end that the journal tells of, without a word."""
    if known.error is None or known.outputs is not None:
        if known.end == "skipped":
            settle(state, task, "skipped")
        else:
            _give(state, task, known.outputs or NO_VALUES)
        return
    error = _known_error(known.error, known)
    cause = known.cause or {**known.error, "node": task.place.name}
    _give_up(state, task, error, known.error, cause, known.order)


def _known_error(error: Error, known: KnownStep) -> NodeError:
    if known.is_stopped:
        return Stopped(error["message"])
    return NodeError(error["kind"], error["message"], retryable=known.is_retryable)


def _give(state: State, task: Task, outputs: Mapping[str, Any]) -> None:
    if isinstance(task, TurnTask):
        repeat.turn_ended(state, task, outputs)
    elif isinstance(task, ItemTask):
        assert task.index is not None
        task.each.give(task.index, outputs)
        foreach.item_ended(state, task)
    else:
        settle(state, task, "succeeded", outputs)


def _fail(state: State, task: Task, error: NodeError, cut: Cut | None, *, is_final: bool = False) -> None:
    """`is_final` says that `on_error` does not apply: its outputs could not be kept."""
    described = records.attempt_error(error.kind, state.runtime.masked(error.message), task.attempt)
    if cut is not None:
        described |= cut.about
    if _is_tried_again(task, error, cut):
        _retry(state, task, described)
        return
    if task.item is not None:
        described |= state.runtime.masked(task.item.described())
    cause = described_cause(task, described) if cut is None else cut.cause
    outputs = None if task.is_part or is_final else _outputs_of_failure(task, error, described)
    failed = records.Failed(
        state.clock.now(),
        task.place,
        task.index,
        task.attempt,
        described,
        outputs,
        cause,
        is_inner=cut is not None,
        is_retryable=error.retryable,
        is_stopped=isinstance(error, Stopped),
    )
    state.append(failed)
    if outputs is None:
        _give_up(state, task, error, described, cause)
    else:
        settle(state, task, "succeeded", outputs)


def described_cause(task: Task, described: Error) -> Error:
    """The error as the run's own, if it fails the run."""
    known = {key: described[key] for key in ("kind", "message", "attempts")} | {"node": task.place.name}
    return known if task.index is None else known | {"item": task.index}


def _is_tried_again(task: Task, error: NodeError, cut: Cut | None) -> bool:
    retry = task.node.spec.retry
    if retry is None or task.is_whole or task.frame.refuses or (cut is not None and not cut.is_tried_again):
        return False
    return is_tried_again(retry, error, task.attempt)


def _retry(state: State, task: Task, described: Error) -> None:
    retry = task.node.spec.retry
    assert retry is not None
    delay = delay_before(retry, task.attempt, state.chance())
    error = {**described, "max_attempts": retry.max_attempts, "delay": delay}
    now = state.clock.now()
    state.append(records.Retrying(now, task.place, task.index, task.attempt, error, now + delay))
    rest(state, task, delay)


def rest(state: State, task: Task, seconds: float) -> None:
    """Let the next attempt begin after so many seconds."""

    def again(task: Task) -> None:
        task.attempt += 1
        state.ready.append(task)

    state.wait(task, seconds, again)


def _outputs_of_failure(task: Task, error: NodeError, described: Error) -> Mapping[str, Any] | None:
    """What the node's `on_error` makes of it: None, if that fails what is around it."""
    on_error = task.node.spec.on_error
    if on_error == "fail" or isinstance(error, Stopped):
        return None
    return {ERROR_PORT.name: {**described, "node": task.place.name}} if on_error == "route" else NO_VALUES


def _give_up(
    state: State, task: Task, error: NodeError, described: Error, cause: Error, order: float = float("inf")
) -> None:
    if isinstance(task, ItemTask):
        assert task.index is not None
        task.each.failures[task.index] = ItemFailure(error, described, cause)
        foreach.item_ended(state, task)
        return
    if isinstance(task, TurnTask):
        repeat.turn_failed(state, task, error, described, cause)
        return
    named = error.saying(f"{task.node.spec.id}: {error.message}")
    task.frame.accuse(Blame(named, cause, order))
    settle(state, task, "failed")
