"""What lives as long as the application: what documents are checked with, parsed specs, and who waits for a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Request

from platform_core.secret_sources.outside import OutsideSecrets
from platform_core.triggers.delivery_writer import DeliveryWriter
from trigger_api.live.checker import Checker
from trigger_api.live.endings import RunEndings
from trigger_api.live.known_webhooks import KnownWebhooks
from trigger_api.live.run_progress import RunProgress
from trigger_api.shared.graph_access import SpecCache


@dataclass(frozen=True)
class State:
    """Built by `create_app`."""

    checker: Checker
    specs: SpecCache
    endings: RunEndings
    webhooks: KnownWebhooks
    progress: RunProgress
    writer: DeliveryWriter
    outside_secrets: OutsideSecrets
    receivers: CapacityLimiter
    """Of the threads that receive webhooks: more would only wait for one another, and hold connections meanwhile."""


def state_of(request: Request) -> State:
    """The state of the application that answers this request."""
    state = request.app.state.trigger
    assert isinstance(state, State)
    return state


async def _state(request: Request) -> State:
    return state_of(request)


StateDep = Annotated[State, Depends(_state)]
