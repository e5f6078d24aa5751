"""Nodes that run another graph: a call opens a frame, whose end is the node's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph_compiler.running.call_params import called_params
from graph_compiler.running.execution import Scope, is_wanted, node_context, render_outputs, rendered_config, result_key
from graph_engine.journal import records
from graph_engine.journal.known import KnownStep
from graph_engine.scope.frame import UNWANTED, Cut, Frame, Task
from graph_engine.scope.state import State
from graph_engine.steps import stopping
from graph_engine.steps.jobs import submit


def begin(state: State, task: Task, known: KnownStep | None) -> None:
    """Render the params of the called graph, unless they are known, and open it; or take a remembered result."""
    node, scope = task.node, task.scope()
    if known is not None and known.params is not None:
        return _open(state, task, known.params, known)
    try:
        if not task.is_part and not is_wanted(node, task.inputs, state.runtime, scope):
            return state.end(task, UNWANTED)
        context = _context(state, task)
        config = rendered_config(node, context)
        params = state.runtime.masked(called_params(task.frame.index.called(task.number).plan.spec, config.params))
        key = None if node.spec.cache is None else result_key(node, context, scope)
    except Exception as raised:
        return state.end(task, state.masked_error(raised))
    if key is None:
        return _open(state, task, params, known)

    def recalled(found: Any) -> None:
        if found is None:
            _open(state, task, params, known)
        else:
            state.end(task, found)

    return submit(state, task, lambda timeout: _recalled(state, key), recalled)


def _context(state: State, task: Task) -> dict[str, Any]:
    context = node_context(state.runtime, task.inputs, task.scope())
    return context if task.item is None else context | {"item": task.item.value, "index": task.item.index}


def _recalled(state: State, key: str) -> Any:
    found = state.runtime.recall(key)
    return None if found is None else dict(found)


def _open(state: State, task: Task, params: Mapping[str, Any], known: KnownStep | None) -> None:
    place, item = task.place, "" if task.item is None else f"[{task.item.index}]"
    again = "" if task.attempt == 1 else f"~{task.attempt}"
    index = task.frame.index.called(task.number)
    frame = Frame(index, f"{place.name}{item}", f"{place.key}{item}{again}", params, task)
    is_known = known is not None and known.is_open and known.params is not None
    if not is_known:
        try:
            state.append(records.Opened(state.clock.now(), place, task.index, task.attempt, params))
        except Exception as raised:
            return state.end(task, state.masked_error(raised))
    task.frame.calls[frame] = None
    if task.node.spec.timeout is not None:
        spent = 0.0 if known is None or known.began_at is None else state.clock.now() - known.began_at
        stopping.limit(state, frame, task.node.spec.timeout, max(0.0, spent))
    if task.frame.refuses:
        assert task.frame.stop is not None
        stopping.stop(state, frame, task.frame.stop)
    open_frame(state, frame)


def open_frame(state: State, frame: Frame) -> None:
    """Let the first nodes of the graph begin."""
    state.make_ready(frame, [number for number in frame.index.ordinary if frame.left[number] == 0])
    if not frame.active:
        state.quiet.append(frame)


def close(state: State, frame: Frame) -> None:
    """All nodes of the called graph have ended, also those that run last: so has the call."""
    task = frame.call
    assert task is not None
    task.frame.calls.pop(frame, None)
    stopping.unlimit(frame)
    if frame.stop is not None:
        return state.end(task, frame.stop.raised)
    if frame.blame is not None:
        return state.end(task, Cut(frame.blame.error, {}, frame.blame.cause, is_tried_again=True))
    try:
        scope = Scope(f"{frame.name}/outputs", frame.params)
        outputs = state.runtime.masked(render_outputs(frame.index.plan, frame.values, state.runtime, scope))
        cache = task.node.spec.cache
        key = None if cache is None else result_key(task.node, _context(state, task), task.scope())
    except Exception as raised:
        return state.end(task, state.masked_error(raised))
    if cache is None or key is None:
        return state.end(task, outputs)
    ttl, name = cache.ttl, key

    def remember(timeout: float | None) -> Any:
        state.runtime.remember(name, outputs, ttl)
        return outputs

    return submit(state, task, remember, lambda result: state.end(task, result))
