"""A `repeat` on its way: one turn after another, until its condition holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph_compiler.language.spec import RepeatSpec
from graph_compiler.running.execution import Scope, Turn, is_reached, is_wanted
from graph_compiler.values.durations import LONGEST
from graph_compiler.values.errors import NodeError
from graph_engine.journal import records
from graph_engine.journal.known import NOT_REACHED, KnownStep
from graph_engine.journal.place import turn_key
from graph_engine.journal.records import Error
from graph_engine.scope.frame import UNWANTED, Cut, Task
from graph_engine.scope.state import State


class TurnTask(Task):
    """One turn on its way; `since` is when the first began, in seconds since the epoch."""

    __slots__ = ("since", "turn", "whole")

    def __init__(self, whole: Task, turn: Turn, since: float) -> None:
        super().__init__(whole.frame, whole.number, whole.place.at_turn(turn.number))
        self.whole = whole
        self.turn = turn
        self.since = since
        self.inputs = whole.inputs

    @property
    def is_part(self) -> bool:
        return True

    def scope(self) -> Scope:
        return super().scope()._replace(turn=self.turn)


def begin(state: State, task: Task, known: KnownStep | None) -> None:
    """Let the first turn begin, or the one that it had come to."""
    known = KnownStep() if known is None else known
    last, now = None, state.clock.now()
    try:
        if not known.turn and not is_wanted(task.node, task.inputs, state.runtime, task.scope()):
            return state.end(task, UNWANTED)
    except Exception as raised:
        return state.end(task, state.masked_error(raised))
    if known.turn:
        before = state.known.take(turn_key(task.place.key, known.turn - 1), None)
        assert before is not None, "a turn follows one that has ended"
        last = before.outputs
    since = now if known.began_at is None else known.began_at
    rest = 0.0 if known.turn_at is None else known.turn_at - now
    return _next(state, TurnTask(task, Turn(known.turn, last), since), rest)


def turn_ended(state: State, task: TurnTask, outputs: Mapping[str, Any]) -> None:
    """The turn ended well: so does the node, or another turn follows, or none may."""
    whole, number = task.whole, task.turn.number + 1
    repeat = whole.node.spec.repeat
    assert repeat is not None
    try:
        if is_reached(whole.node, task.inputs, outputs, state.runtime, task.scope()):
            return state.end(whole, dict(outputs))
    except Exception as raised:
        return state.end(whole, state.masked_error(raised))
    now = state.clock.now()
    due = now + pause_after(repeat, task.turn.number)
    if number >= repeat.max or (repeat.timeout is not None and due > task.since + repeat.timeout):
        limit = "its `max`" if number >= repeat.max else "and another would begin after its `timeout`"
        message = f"the condition of `repeat` did not hold in {number} turns, {limit}"
        return state.end(whole, NodeError(NOT_REACHED, message))
    state.append(records.Repeating(now, whole.place, number, due))
    return _next(state, TurnTask(whole, Turn(number, outputs), task.since), due - now)


def turn_failed(state: State, task: TurnTask, error: NodeError, described: Error, cause: Error) -> None:
    """The turn failed its last attempt, and so does the node."""
    state.end(task.whole, Cut.by_part(error, described, cause))


def pause_after(repeat: RepeatSpec, turn: int) -> float:
    """Seconds between the end of this turn (from 0) and the next."""
    match repeat.backoff:
        case "exponential":
            delay = repeat.delay * 2.0 ** min(turn, 100)
        case "linear":
            delay = repeat.delay * (turn + 1)
        case "constant":
            delay = repeat.delay
    return min(delay, LONGEST if repeat.max_delay is None else repeat.max_delay)


def _next(state: State, task: TurnTask, rest: float) -> None:
    """Let the turn begin after so many seconds; the node itself is what waits meanwhile."""
    if rest <= 0 or task.frame.refuses:
        state.ready.append(task)
    else:
        state.wait(task.whole, rest, lambda whole: state.ready.append(task))
