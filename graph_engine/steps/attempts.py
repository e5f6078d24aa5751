"""One attempt of a node that is neither a call nor a whole `foreach`: in this thread, on a thread, or after a pause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from graph_compiler.nodes.runtime import NodeRuntime
from graph_compiler.running.execution import is_wanted, node_context, rendered_config, run_node
from graph_compiler.values.errors import node_error
from graph_engine.journal import records
from graph_engine.journal.known import KnownStep
from graph_engine.scope.frame import UNWANTED, Result, Task
from graph_engine.scope.state import State
from graph_engine.steps.jobs import submit


class Waited:
    """The runtime of a node whose time has passed: it need not wait for it."""

    def __init__(self, runtime: NodeRuntime) -> None:
        self._runtime = runtime

    def wait(self, seconds: float) -> None:
        """Nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)


def begin(state: State, task: Task) -> None:
    """Let the attempt begin."""
    if task.node.node_type.pauses and task.node.spec.cache is None:
        return _pause(state, task)
    work = prepared(state, task, state.runtime)
    if not state.is_inline(task):
        return submit(state, task, work, lambda result: state.end(task, result))
    began = state.clock.monotonic()
    result = work(state.time_left(task.frame))
    state.note_duration(task, state.clock.monotonic() - began)
    return state.end(task, result)


def prepared(state: State, task: Task, runtime: NodeRuntime) -> Callable[[float | None], Result]:
    """The work of the attempt, for any thread; it takes the seconds that it may last."""
    node, inputs, item, scope, is_part = task.node, task.inputs, task.item, task.scope(), task.is_part

    def work(timeout: float | None) -> Result:
        try:
            if not is_part and not is_wanted(node, inputs, runtime, scope):
                return UNWANTED
            limited = node
            if timeout != node.spec.timeout:
                limited = replace(node, spec=node.spec.model_copy(update={"timeout": timeout}))
            return run_node(limited, inputs, runtime, item=item, scope=scope)
        except Exception as raised:
            return node_error(raised)

    return work


def _pause(state: State, task: Task) -> None:
    node, scope, timeout = task.node, task.scope(), state.timeout_of(task)
    try:
        if not task.is_part and not is_wanted(node, task.inputs, state.runtime, scope):
            return state.end(task, UNWANTED)
        context = node_context(state.runtime, task.inputs, scope)
        context |= {} if task.item is None else {"item": task.item.value, "index": task.item.index}
        seconds = node.node_type.pause(rendered_config(node, context), timeout)
    except Exception as raised:
        return state.end(task, node_error(raised))
    if state.is_long(seconds):
        now = state.clock.now()
        state.append(records.Waiting(now, task.place, task.index, task.attempt, now + seconds))
    return _wait(state, task, seconds, timeout)


def go_on_waiting(state: State, task: Task, known: KnownStep) -> None:
    """The node has begun to wait on another worker: wait for what is left, by the calendar's clock."""
    assert known.waits_until is not None
    assert known.waits_since is not None
    whole = known.waits_until - known.waits_since
    left = min(whole, known.waits_until - state.clock.now())
    # With what was lost by writing times: a wait that was no shorter than it should be is not taken for a timeout.
    _wait(state, task, max(0.0, left), whole + 0.001)


def _wait(state: State, task: Task, seconds: float, timeout: float | None) -> None:
    def passed(task: Task) -> None:
        runtime = cast(NodeRuntime, Waited(state.runtime))
        state.end(task, prepared(state, task, runtime)(timeout))

    state.wait(task, seconds, passed, is_running=True)
