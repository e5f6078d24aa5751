"""Ending a graph early: the run, canceled or out of time, or a call whose time is over. One rule for both.

Nothing begins any more; what waits ends; what runs ends itself, or is ended. When nothing is on its way any more, what
runs last does, within its grace.
"""

from __future__ import annotations

from graph_compiler.values.errors import NodeError, Stopped
from graph_engine.journal.records import run_error
from graph_engine.scope.frame import Frame, Phase, Stop
from graph_engine.scope.state import State
from graph_engine.steps.jobs import watch


def limit(state: State, frame: Frame, timeout: float, spent: float) -> None:
    """Stop the call when so many seconds, of which some are spent, have passed."""
    frame.deadline = state.clock.monotonic() + timeout - spent
    message = f"the called graph did not end within {timeout:g} s, the node's timeout"
    error = run_error("timeout", message)
    late = Stop("FAILURE", error, NodeError("timeout", message))
    if spent >= timeout:
        stop(state, frame, late)
    else:
        frame.timer = state.timers.set(frame.deadline, lambda frame: stop(state, frame, late), frame)


def unlimit(frame: Frame) -> None:
    """The frame is closed."""
    if frame.timer is not None:
        frame.timer.call_off()


def stop(state: State, frame: Frame, reason: Stop) -> None:
    """End the graph, and the graphs that it calls."""
    if frame.stop is not None or frame.phase is Phase.CLOSED:
        return
    frame.stop = reason
    unlimit(frame)
    if frame.call is not None:
        give_grace(state, frame)
    if frame.phase is Phase.MAIN:
        for inner in list(frame.calls):
            stop(state, inner, reason)
        _end_waiting(state, frame, reason.raised)
        if not frame.active:
            state.quiet.append(frame)


def give_grace(state: State, frame: Frame) -> None:
    """From now on what runs last has its last seconds."""
    frame.deadline = state.clock.monotonic() + state.limits.last_seconds
    frame.timer = state.timers.set(frame.deadline, lambda frame: cut(state, frame), frame)


def cut(state: State, frame: Frame) -> None:
    """What runs last has used up its time."""
    frame.is_cut = True
    assert frame.stop is not None
    for inner in list(frame.calls):
        stop(state, inner, frame.stop)
        cut(state, inner)
    message = f"what runs last had {state.limits.last_seconds:g} s, and was stopped"
    _end_waiting(state, frame, Stopped(message))
    for job in state.jobs:
        if job.task.frame.is_within(frame) and not job.interrupted:
            watch(state, job, 0.0)
    if frame.call is None:
        state.runtime.cancel()


def stop_run(state: State, reason: Stop) -> None:
    """End the run: also what its nodes are doing in the world."""
    if state.root.stop is not None or state.is_over:
        return
    is_main = state.root.phase is Phase.MAIN
    stop(state, state.root, reason)
    if not is_main:
        give_grace(state, state.root)
        return
    state.is_draining = True
    state.runtime.cancel()
    for job in state.jobs:
        watch(state, job, state.limits.cancel_grace)


def rearm_when_drained(state: State) -> None:
    """Once no node of a run that is to end runs any more, those that run last may reach the world."""
    if state.is_draining and not state.jobs:
        state.is_draining = False
        state.runtime.rearm()
        give_grace(state, state.root)
        state.quiet.extend(state.held)
        state.held.clear()
        state.ready.extend(state.postponed)
        state.postponed.clear()


def _end_waiting(state: State, frame: Frame, error: NodeError) -> None:
    for task in list(frame.waiting):
        if task.place.key in state.asked:
            state.runtime.close(task.place.key)
        state.waited(task)
        state.end(task, error)
