"""What becomes of a node once all that it waits for has ended: it runs, is skipped, or can no longer run."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from graph_compiler.language.spec import PortRef
from graph_compiler.nodes.asking import ADDRESS
from graph_engine.journal import records
from graph_engine.journal.known import End
from graph_engine.scope.frame import NO_VALUES, Frame, Phase, Task
from graph_engine.scope.state import State
from graph_engine.steps.outputs import give_run_outputs


def settle(state: State, task: Task, end: End, outputs: Mapping[str, Any] = NO_VALUES) -> None:
    """The node of the task has ended, with these outputs."""
    frame = task.frame
    for port, value in outputs.items():
        frame.values[PortRef(task.node.spec.id, port)] = value
    frame.active -= 1
    _spread(state, frame, deque([(task.number, end)]))
    if not frame.active:
        state.quiet.append(frame)


def drop(state: State, task: Task) -> None:
    """The task does not begin any more, and its node has no end."""
    task.frame.active -= 1
    if not task.frame.active:
        state.quiet.append(task.frame)


def release_early(state: State, task: Task, address: str) -> None:
    """The node begins to wait at an address: who needs nothing else of it may begin."""
    frame, number = task.frame, task.number
    frame.values[PortRef(task.node.spec.id, ADDRESS)] = address
    frame.armed.add(number)
    ended: deque[tuple[int, End]] = deque()
    ready: list[int] = []
    for dependent in sorted(frame.index.early[number]):
        frame.left[dependent] -= 1
        if frame.left[dependent] == 0:
            _turn(state, frame, dependent, ended, ready)
    _spread(state, frame, ended, ready)


def release_last(state: State, frame: Frame) -> None:
    """All ordinary nodes have ended: those that run last may begin."""
    frame.phase = Phase.LAST
    index = frame.index
    ended: deque[tuple[int, End]] = deque()
    ready: list[int] = []
    for number in index.last:
        if frame.left[number] == 0:
            _turn(state, frame, number, ended, ready)
    _spread(state, frame, ended, ready)


def _spread(state: State, frame: Frame, ended: deque[tuple[int, End]], ready: list[int] | None = None) -> None:
    """Go on from what has ended to all that follows from it, without a recursion."""
    index = frame.index
    ready = [] if ready is None else ready
    while ended:
        number, end = ended.popleft()
        name = index.nodes[number].spec.id
        frame.ended[name] = end
        if frame.call is None:
            give_run_outputs(state, name)
        for dependent in index.dependents[number]:
            if number in frame.armed and dependent in index.early[number]:
                continue  # it has begun when the address was there
            frame.left[dependent] -= 1
            if frame.left[dependent] == 0 and (frame.phase is Phase.LAST or not index.nodes[dependent].spec.finally_):
                _turn(state, frame, dependent, ended, ready)
    state.make_ready(frame, ready)


def _turn(state: State, frame: Frame, number: int, ended: deque[tuple[int, End]], ready: list[int]) -> None:
    fate = fate_of(frame, number)
    if fate is None:
        ready.append(number)
        return
    if fate == "skipped":
        place = state.place(frame, number)
        if state.known.take(place.key, None) is None:
            state.append(records.Skipped(state.clock.now(), place, is_unwanted=False))
    ended.append((number, fate))


def fate_of(frame: Frame, number: int) -> End | None:
    """How a node whose turn has come ends without running; None if it runs."""
    index = frame.index
    node = index.nodes[number]
    sources = set(node.sources.values())
    missing = [
        source
        for source in sources
        if source not in frame.values and frame.ended.get(source.node) in ("succeeded", "skipped")
    ]
    if missing:
        needs_nothing = node.spec.finally_ and any(not index.is_last(source.node) for source in sources)
        if not (node.gathers and (len(missing) < len(sources) or needs_nothing)):
            return "skipped"
    if any(frame.ended.get(name) == "skipped" for name in node.spec.after):
        return "skipped"
    if any(frame.ended.get(name) == "failed" for name in index.needs[number]):
        return "failed"
    return None
