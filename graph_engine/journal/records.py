"""What happens in a run, one record each, in the one order in which it happened.

`ts` is in seconds since the epoch. `place` and `item` (of a `foreach`, from 0) say which step a record is about; `item`
is None for the node itself. Values are plain JSON values and bytes, secrets masked as far as they were known.
Errors are `{kind, message, attempts}` and, of an item, `item` and `value` or `bytes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from graph_compiler.nodes.asking import Asking, WaitKind
from graph_compiler.nodes.runtime import Level
from graph_engine.journal.place import Place

Status = Literal["SUCCESS", "FAILURE", "CANCELED"]
Error = Mapping[str, Any]


def run_error(kind: str, message: str) -> Error:
    """Why a run ends, or a call, for what no node of it did."""
    return {"kind": kind, "message": message, "node": None}


def attempt_error(kind: str, message: str, attempts: int) -> dict[str, Any]:
    """Why an attempt of a step failed, which was the `attempts`-th."""
    return {"kind": kind, "message": message, "attempts": attempts}


class Wait(NamedTuple):
    """What a step waits for without a thread, and until when, in seconds since the epoch."""

    name: str
    item: int | None
    until: float
    kind: WaitKind = WaitKind.TIME


class RunBegan(NamedTuple):
    """The first record of a run; `is_resumed`: of a worker that goes on with what others left."""

    ts: float
    is_resumed: bool = False


class RunStopping(NamedTuple):
    """The run is to end early: nothing begins from here on but what runs last. It will end with this."""

    ts: float
    status: Status
    error: Error


class RunSuspended(NamedTuple):
    """The last record of a worker that has nothing to do until `until`; the run goes on then, on any worker."""

    ts: float
    until: float
    waits: Sequence[Wait]


class RunEnded(NamedTuple):
    """The last record of a run. `error` is `{kind, message, node}` and of a node's also `attempts` and `item`."""

    ts: float
    status: Status
    error: Error | None


class OutputsGiven(NamedTuple):
    """The run's outputs, rendered as soon as the nodes that they read had ended."""

    ts: float
    outputs: Mapping[str, Any]


class OutputsFailed(NamedTuple):
    """The run's outputs could not be rendered; the run fails with this."""

    ts: float
    error: Error


class Began(NamedTuple):
    """An attempt (from 1) begins. `is_again`: this very attempt was begun by a worker that is lost."""

    ts: float
    place: Place
    item: int | None
    attempt: int
    is_again: bool = False


class Expanded(NamedTuple):
    """A `foreach` has begun, and these are its items."""

    ts: float
    place: Place
    items: Sequence[Any]


class Opened(NamedTuple):
    """A call has begun, and these are the params of the called graph."""

    ts: float
    place: Place
    item: int | None
    attempt: int
    params: Mapping[str, Any]


class Waiting(NamedTuple):
    """The step waits until a time, and the run needs no worker for it."""

    ts: float
    place: Place
    item: int | None
    attempt: int
    until: float
    asking: Asking | None = None
    """What it waits for, if that is not only the time."""
    address: str | None = None
    """Where an event is reported, by a `POST`; the output `address` of the node from here on."""


class Repeating(NamedTuple):
    """A turn of a `repeat` has ended, and its condition does not hold: turn `turn` (from 0) begins at `due`.

    `place` is that of the node; each turn has a place of its own (`poll#5`).
    """

    ts: float
    place: Place
    turn: int
    due: float


class Retrying(NamedTuple):
    """An attempt ended with an error, and another follows at `due`; the error also has `max_attempts` and `delay`."""

    ts: float
    place: Place
    item: int | None
    attempt: int
    error: Error
    due: float


class Succeeded(NamedTuple):
    """The step has ended with these outputs by port; of a `foreach` they are lists by item."""

    ts: float
    place: Place
    item: int | None
    attempt: int
    outputs: Mapping[str, Any]


class Skipped(NamedTuple):
    """The node does not run. `is_unwanted`: it had begun, and its `when` is false; else something before it lacks."""

    ts: float
    place: Place
    is_unwanted: bool


class Failed(NamedTuple):
    """The step has failed, and no attempt follows.

    `outputs` is None if that counts as a failure of what is around it (`on_error: fail`); else what `on_error` made of
    it: the port `error`, or nothing. Of an item it is always None; its `foreach` decides. `cause` is the first failure
    that led to it, `{kind, message, attempts, node}` and of an item `item`: what the error of the run becomes if this
    fails it. `is_inner`: an item of it, or a node of the graph that it calls, has failed before and has said so.
    """

    ts: float
    place: Place
    item: int | None
    attempt: int
    error: Error
    outputs: Mapping[str, Any] | None
    cause: Error
    is_inner: bool = False
    is_retryable: bool = True
    """Whether another attempt may help: also one of the call around it."""
    is_stopped: bool = False
    """Whether the end of the run stopped it, which `on_error` and `on_item_error` do not take for an error."""


class Emitted(NamedTuple):
    """What a node said while it ran: `log`, `stdout`, `stderr`, `node.progress`, `node.output`, `truncated`."""

    ts: float
    type: str
    message: str
    level: Level
    node: str | None
    item: int | None
    data: Mapping[str, Any]


RunRecord = RunBegan | RunStopping | RunSuspended | RunEnded | OutputsGiven | OutputsFailed
StepRecord = Began | Expanded | Opened | Waiting | Repeating | Retrying | Succeeded | Skipped | Failed
Record = RunRecord | StepRecord | Emitted
