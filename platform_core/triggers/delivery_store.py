"""Deliveries: each received webhook call that was verified, once per delivery key, with what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.pagination import Page, decode_cursor, encode_cursor
from platform_core.database.tables import deliveries, graphs, triggers
from platform_core.errors import BadCursor, DeliveryNotFound
from platform_core.runs.run_store import NewRun
from platform_core.triggers.hook_store import Hook

ACCEPTED = "accepted"
REFUSED = "refused"
FILTERED = "filtered"


@dataclass(frozen=True)
class NewDelivery:
    """A call to be stored: secrets masked in `headers`, `body` cut to what is kept of `body_size` bytes."""

    id: str
    delivery_key: str
    method: str
    path: str
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    body: bytes
    body_size: int
    client: str | None = None
    replay_of: str | None = None


@dataclass(frozen=True)
class Delivery:
    """A stored delivery without its body."""

    id: str
    graph_id: str
    graph: str
    owner_id: str
    trigger: str
    trigger_id: str
    delivery_key: str
    method: str
    path: str
    query: dict[str, Any]
    headers: dict[str, str]
    body_size: int
    client: str | None
    verdict: str
    issues: list[dict[str, Any]] | None
    run_id: str | None
    replay_of: str | None
    received_at: datetime


@dataclass(frozen=True)
class Entry:
    """A delivery to be stored by a webhook as it is known; without a run, `verdict` and `issues` say why."""

    hook: Hook
    new: NewDelivery
    run: NewRun | None
    verdict: str = ACCEPTED
    issues: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Kept:
    """What storing did: with `is_new` false the first delivery with this key, and its run, are named."""

    id: str
    run_id: str | None
    is_new: bool


_COLUMNS = (
    deliveries.c.id,
    triggers.c.graph_id,
    graphs.c.name.label("graph"),
    graphs.c.owner_id,
    deliveries.c.trigger,
    triggers.c.trigger_id,
    deliveries.c.delivery_key,
    deliveries.c.method,
    deliveries.c.path,
    deliveries.c.query,
    deliveries.c.headers,
    deliveries.c.body_size,
    deliveries.c.client,
    deliveries.c.verdict,
    deliveries.c.issues,
    deliveries.c.run_id,
    deliveries.c.replay_of,
    deliveries.c.received_at,
)
_JOINED = deliveries.join(triggers, triggers.c.id == deliveries.c.trigger).join(
    graphs, graphs.c.id == triggers.c.graph_id
)


def find_accepted(connection: Connection, trigger: str, delivery_key: str) -> Kept | None:
    """The delivery that the trigger accepted with this key, if any; not a new one."""
    columns = deliveries.c
    query = sa.select(columns.id, columns.run_id).where(
        columns.trigger == trigger, columns.delivery_key == delivery_key, columns.verdict == ACCEPTED
    )
    row = connection.execute(query).first()
    return None if row is None else Kept(row.id, row.run_id, False)


def deliveries_of(connection: Connection, run_ids: Collection[str]) -> dict[str, str]:
    """The ids of the deliveries that started these runs, by run; others are left out."""
    columns = deliveries.c
    query = sa.select(columns.run_id, columns.id).where(columns.run_id.in_(run_ids), columns.verdict == ACCEPTED)
    return {row.run_id: str(row.id) for row in connection.execute(query)}


def get_delivery(connection: Connection, delivery_id: str) -> tuple[Delivery, bytes]:
    """A delivery and what was kept of its body. Raises `DeliveryNotFound`."""
    query = sa.select(*_COLUMNS, deliveries.c.body).select_from(_JOINED).where(deliveries.c.id == delivery_id)
    row = connection.execute(query).first()
    if row is None:
        raise DeliveryNotFound(f"There is no delivery {delivery_id}.")
    *stored, body = row
    return Delivery(*stored), body


def list_deliveries(
    connection: Connection,
    graph_id: str,
    *,
    verdict: str | None = None,
    trigger_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    text: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Delivery]:
    """A graph's deliveries, the newest first, filtered by what is given; `text` is looked for in id, headers and body.

    Raises `BadCursor`.
    """
    order = (deliveries.c.received_at, deliveries.c.id)
    query = sa.select(*_COLUMNS).select_from(_JOINED).where(triggers.c.graph_id == graph_id)
    for column, value in ((deliveries.c.verdict, verdict), (triggers.c.trigger_id, trigger_id)):
        if value is not None:
            query = query.where(column == value)
    if since is not None:
        query = query.where(deliveries.c.received_at >= since)
    if until is not None:
        query = query.where(deliveries.c.received_at < until)
    if text is not None:
        query = query.where(_mentions(text))
    if cursor is not None:
        query = query.where(sa.tuple_(*order) < sa.tuple_(*_position(cursor)))
    query = query.order_by(*(column.desc() for column in order)).limit(limit + 1)
    found = [Delivery(**row._mapping) for row in connection.execute(query)]
    if len(found) <= limit:
        return Page(found, None)
    last = found[limit - 1]
    return Page(found[:limit], encode_cursor(last.received_at.isoformat(), last.id))


def _mentions(text: str) -> sa.ColumnElement[bool]:
    sought = text.encode(errors="replace")
    return sa.or_(
        sa.func.strpos(sa.func.lower(deliveries.c.delivery_key), text.lower()) > 0,
        sa.func.strpos(sa.func.lower(sa.cast(deliveries.c.headers, sa.Text)), text.lower()) > 0,
        sa.func.position(sa.literal(sought, sa.LargeBinary).op("IN")(deliveries.c.body)) > 0,
    )


def _position(cursor: str) -> tuple[datetime, uuid.UUID]:
    moment, delivery_id = decode_cursor(cursor, str, str)
    try:
        return datetime.fromisoformat(moment), uuid.UUID(delivery_id)
    except ValueError:
        raise BadCursor("The cursor is not one of ours; take it from next_cursor of the page before.") from None
