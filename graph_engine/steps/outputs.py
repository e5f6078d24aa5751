"""The outputs of a run, rendered as soon as the nodes that they read have ended."""

from __future__ import annotations

from graph_compiler.running.execution import render_outputs
from graph_compiler.values.errors import NodeError
from graph_engine.journal import records
from graph_engine.journal.records import Error
from graph_engine.scope.frame import Blame
from graph_engine.scope.state import State


def give_run_outputs(state: State, ended: str | None = None) -> None:
    """Render the outputs if this node of the run's graph was the last that they waited for."""
    left = state.outputs_left
    if left is None:
        return
    if ended is not None:
        left.discard(ended)
    if left:
        return
    state.outputs_left = None
    root, known = state.root, state.known
    if any(root.ended[name] == "failed" for name in root.index.output_needs):
        return
    if known.outputs is not None:
        state.outputs = known.outputs
    elif known.outputs_error is not None:
        _fail(state, known.outputs_error)
    else:
        _render(state)


def _render(state: State) -> None:
    root, now = state.root, state.clock.now
    try:
        outputs = state.runtime.masked(render_outputs(root.index.plan, root.values, state.runtime))
        state.append(records.OutputsGiven(now(), outputs))
        state.outputs = outputs
    except Exception as raised:
        error = state.masked_error(raised)
        described = records.attempt_error(error.kind, error.message, 1)
        state.append(records.OutputsFailed(now(), described))
        _fail(state, described)


def _fail(state: State, error: Error) -> None:
    raised = NodeError(error["kind"], error["message"], retryable=False)
    state.root.accuse(Blame(raised, {**error, "node": None}))
