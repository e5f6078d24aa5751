"""Deliveries: listed and searched, read with their bodies, replayed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from platform_core.database.engine import Connection, reading
from platform_core.errors import (
    BadCursor,
    DeliveryIncomplete,
    DeliveryNotFound,
    GraphNotFound,
    InvalidParams,
    InvalidRequest,
    TriggerNotFound,
    Unavailable,
    UnsupportedMediaType,
)
from platform_core.identity.auth import Principal
from platform_core.limits import DEFAULT_PAGE
from platform_core.triggers.delivery_store import Delivery, get_delivery
from platform_core.triggers.delivery_store import list_deliveries as stored_deliveries
from platform_core.web.dependencies import (
    AUTH_ERRORS,
    ConnectionDep,
    CursorQuery,
    LimitQuery,
    RunReader,
    RunWriter,
    ServicesDep,
)
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from trigger_api.deliveries.replaying import replay
from trigger_api.deliveries.schemas import DeliveryAnswer, DeliveryEntry, ReplayAnswer, Verdict
from trigger_api.live.state import StateDep
from trigger_api.shared.graph_access import find_graph
from trigger_api.shared.links import LinksDep
from trigger_api.shared.schemas import PageOf

router = APIRouter(prefix="/api/v1", tags=["deliveries"])

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable)
_Text = Annotated[
    str | None,
    Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$", description="Looked for in id, headers and body."),
]
_Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", pattern=r"^[!-~]{1,200}$", description="The same key is answered with the first run."
    ),
]


@router.get(
    "/graphs/{graph}/deliveries",
    operation_id="list_deliveries",
    responses=problems(*_ERRORS, GraphNotFound, BadCursor),
)
def list_deliveries(
    principal: RunReader,
    connection: ConnectionDep,
    graph: str,
    links: LinksDep,
    verdict: Annotated[Verdict | None, Query()] = None,
    trigger: Annotated[str | None, Query(max_length=63, pattern=r"^[a-z][a-z0-9_-]*$")] = None,
    since: Annotated[datetime | None, Query(description="Received then or later.")] = None,
    until: Annotated[datetime | None, Query(description="Received before then.")] = None,
    q: _Text = None,
    limit: LimitQuery = DEFAULT_PAGE,
    cursor: CursorQuery = None,
) -> PageOf[DeliveryEntry]:
    """List what the graph's webhooks received, the newest first, without bodies."""
    page = stored_deliveries(
        connection,
        find_graph(connection, principal, graph).id,
        verdict=verdict,
        trigger_id=trigger,
        since=since,
        until=until,
        text=q,
        limit=limit,
        cursor=cursor,
    )
    return PageOf(items=[DeliveryEntry.of(entry, links) for entry in page.items], next_cursor=page.next_cursor)


@router.get("/deliveries/{delivery}", operation_id="get_delivery", responses=problems(*_ERRORS, DeliveryNotFound))
def read_delivery(principal: RunReader, connection: ConnectionDep, delivery: UUID, links: LinksDep) -> DeliveryAnswer:
    """Get a delivery with its body, as far as it was kept."""
    return DeliveryAnswer.whole(*_visible(connection, principal, delivery), links)


@router.post(
    "/deliveries/{delivery}/replay",
    status_code=202,
    operation_id="replay_delivery",
    responses={
        200: {"model": ReplayAnswer, "description": "The replay of an earlier request with this key"},
        **problems(
            *_ERRORS, DeliveryNotFound, DeliveryIncomplete, TriggerNotFound, InvalidParams, UnsupportedMediaType
        ),
    },
)
def replay_delivery(
    principal: RunWriter,
    services: ServicesDep,
    state: StateDep,
    origin: OriginDep,
    delivery: UUID,
    links: LinksDep,
    response: Response,
    key: _Key = None,
) -> ReplayAnswer:
    """Start a new run from what came then, by the graph as it is now. Nothing is verified again, nor deduplicated."""
    with reading(services.engine) as connection:
        found, body = _visible(connection, principal, delivery)
    received = replay(services, state, found, body, key, origin.author(principal))
    services.metrics.deliveries.labels("replayed").inc()
    if received.verdict == "refused":
        raise InvalidParams("The delivery does not fit the graph's params.", received.issues)
    if received.verdict == "duplicate":
        response.status_code = 200
    run_id = received.kept.run_id
    run = links.run(run_id) if run_id else {}
    return ReplayAnswer(
        id=received.kept.id,
        replay_of=found.id,
        verdict="filtered" if run_id is None else "accepted",
        run_id=run_id,
        duplicate=not received.kept.is_new,
        links=run | {"delivery": links.delivery(received.kept.id)},
    )


def _visible(connection: Connection, principal: Principal, delivery: UUID) -> tuple[Delivery, bytes]:
    """The delivery, if it exists for this principal. Raises `DeliveryNotFound`."""
    found, body = get_delivery(connection, str(delivery))
    if not principal.may_see(found.owner_id):
        raise DeliveryNotFound(f"There is no delivery {delivery}.")
    return found, body
