"""What lives as long as the application and is ours alone: node types, parsed specs, and who waits for a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from graph_compiler.node_type import NodeTypes
from graph_compiler.placement import ClusterPolicy
from trigger_api.graph_access import SpecCache
from trigger_api.runs.endings import RunEndings


@dataclass(frozen=True)
class State:
    """Built by `create_app`."""

    node_types: NodeTypes
    specs: SpecCache
    endings: RunEndings
    cluster: ClusterPolicy | None = None
    """What the operator allows the pods of runs; None without a cluster."""


async def _state(request: Request) -> State:
    state = request.app.state.trigger
    assert isinstance(state, State)
    return state


StateDep = Annotated[State, Depends(_state)]
