"""A new address for a webhook; the old one lives on for a while, so that its sender can be changed to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field, field_validator

from graph_compiler.values.durations import parse_duration
from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action
from platform_core.errors import GraphNotFound, InvalidRequest, NotAWebhook, TriggerNotFound, Unavailable
from platform_core.triggers.trigger_store import get_trigger
from platform_core.triggers.webhook_store import rotate_address
from platform_core.web.dependencies import AUTH_ERRORS, ConnectionDep, GraphWriter
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.shared.graph_access import find_graph, trigger_target
from trigger_api.shared.links import LinksDep
from trigger_api.shared.schemas import Answer, RequestBody

router = APIRouter(prefix="/api/v1/graphs/{graph}/triggers", tags=["triggers"], route_class=StrictJsonRoute)

LONGEST_OVERLAP = 30 * 86400


class Rotation(RequestBody):
    """How long the old address goes on."""

    overlap: Annotated[str | float, Field(description="A duration such as 1h, up to 30d; 0 ends the old one now.")] = (
        "1h"
    )

    @field_validator("overlap")
    @classmethod
    def _is_duration(cls, value: Any) -> Any:
        if parse_duration(value) > LONGEST_OVERLAP:
            raise ValueError("an overlap is at most 30d")
        return value


class RotationAnswer(Answer):
    """The new address, and until when the one before it holds."""

    id: str
    url: str
    previous_until: datetime | None


@router.post(
    "/{trigger}/rotate",
    operation_id="rotate_webhook",
    responses=problems(*AUTH_ERRORS, GraphNotFound, TriggerNotFound, NotAWebhook, InvalidRequest, Unavailable),
)
def rotate_webhook(
    principal: GraphWriter,
    connection: ConnectionDep,
    origin: OriginDep,
    graph: str,
    trigger: str,
    links: LinksDep,
    wanted: Rotation | None = None,
) -> RotationAnswer:
    """Give a webhook a new address. Both hold during the overlap; an address from before the last one ends at once."""
    of = find_graph(connection, principal, graph)
    found = get_trigger(connection, of.id, trigger)
    if found.webhook_id is None:
        raise NotAWebhook(f"The trigger {trigger} has no address.")
    webhook_id, until = rotate_address(connection, found.id, parse_duration((wanted or Rotation()).overlap))
    after = {"previous_until": None if until is None else until.isoformat()}
    record(connection, origin.author(principal), Action.WEBHOOK_ROTATED, trigger_target(of, trigger), after=after)
    return RotationAnswer(id=trigger, url=links.webhook(webhook_id), previous_until=until)
