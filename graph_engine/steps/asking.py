"""Nodes that wait for a time, a call or a person: without a thread, and if it is for long without a worker.

The journal keeps that the node waits, and until when; the answer is kept outside of it until the node has ended, by who
gives it, and taken from there once (`graph_engine.given.runtime`).
"""

from __future__ import annotations

from graph_compiler.nodes.asking import ADDRESS, Answer, Asking, WaitKind
from graph_compiler.running.execution import is_wanted, node_context, rendered_config
from graph_engine.journal import records
from graph_engine.journal.known import KnownStep
from graph_engine.scope.frame import UNWANTED, Task
from graph_engine.scope.state import State
from graph_engine.steps.readiness import release_early


def begin(state: State, task: Task, known: KnownStep | None) -> None:
    """Let the node begin to wait; one that a retry waits for again keeps its address."""
    try:
        if not task.is_part and not is_wanted(task.node, task.inputs, state.runtime, task.scope()):
            return state.end(task, UNWANTED)
        asking = _asking(state, task)
        address = None if known is None else known.address
        if asking.kind is WaitKind.EVENT and address is None:
            address = state.runtime.new_address()
    except Exception as raised:
        return state.end(task, state.masked_error(raised))
    now = state.clock.now()
    until = now + asking.seconds
    state.append(records.Waiting(now, task.place, task.index, task.attempt, until, asking, address))
    return _wait(state, task, asking, until, address)


def go_on(state: State, task: Task, known: KnownStep) -> None:
    """The node has begun to wait on another worker."""
    assert known.waits_until is not None
    try:
        asking = _asking(state, task)
    except Exception as raised:
        return state.end(task, state.masked_error(raised))
    return _wait(state, task, asking, known.waits_until, known.address)


def look(state: State) -> None:
    """Take the answers that have come since the last look, if it is time for one."""
    now = state.clock.monotonic()
    if not state.asked or now < state.look_at:
        return
    state.look_at = now + state.limits.look_every
    for key, answer in state.runtime.answers(list(state.asked)).items():
        task = state.asked[key]
        address = state.addresses.get(key)
        state.waited(task)
        _end(state, task, answer, address)


def _asking(state: State, task: Task) -> Asking:
    config = rendered_config(task.node, node_context(state.runtime, task.inputs, task.scope()))
    asking: Asking = task.node.node_type.asking(config, state.clock.now())
    return asking


def _wait(state: State, task: Task, asking: Asking, until: float, address: str | None) -> None:
    key = task.place.key
    if address is not None:
        state.addresses[key] = address
        if not task.is_part:
            release_early(state, task, address)
    is_asked = asking.kind is not WaitKind.TIME

    def passed(task: Task) -> None:
        answer = state.runtime.close(key) if is_asked else None
        _end(state, task, answer, address)

    state.wait(task, max(0.0, until - state.clock.now()), passed, kind=asking.kind)
    if is_asked:
        state.asked[key] = task


def _end(state: State, task: Task, answer: Answer | None, address: str | None) -> None:
    outputs = dict(task.node.node_type.answered(answer, state.clock.now()))
    if address is not None:
        outputs[ADDRESS] = address
    state.end(task, state.runtime.masked(outputs))
