"""What lives as long as the application and is ours alone: node types, parsed specs, and who waits for a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Request

from graph_compiler.drafts.placement import ClusterPolicy
from graph_compiler.nodes.node_type import NodeTypes
from platform_core.triggers.delivery_writer import DeliveryWriter
from trigger_api.live.endings import RunEndings
from trigger_api.live.known_hooks import KnownHooks
from trigger_api.live.run_progress import RunProgress
from trigger_api.shared.graph_access import SpecCache


@dataclass(frozen=True)
class State:
    """Built by `create_app`."""

    node_types: NodeTypes
    specs: SpecCache
    endings: RunEndings
    hooks: KnownHooks
    progress: RunProgress
    writer: DeliveryWriter
    receivers: CapacityLimiter
    """Of the threads that receive webhooks: more would only wait for one another, and hold connections meanwhile."""
    cluster: ClusterPolicy | None = None
    """What the operator allows the pods of runs; None without a cluster."""


def state_of(request: Request) -> State:
    """The state of the application that answers this request."""
    state = request.app.state.trigger
    assert isinstance(state, State)
    return state


async def _state(request: Request) -> State:
    return state_of(request)


StateDep = Annotated[State, Depends(_state)]
