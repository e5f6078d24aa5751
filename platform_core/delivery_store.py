"""Deliveries: each received webhook call whose signature held, once per delivery key, with what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from platform_core.tables import deliveries

ACCEPTED = "accepted"
REFUSED = "refused"


@dataclass(frozen=True)
class Delivery:
    """A stored delivery without its body."""

    id: str
    delivery_key: str
    verdict: str
    issues: list[dict[str, Any]] | None
    run_id: str | None
    received_at: datetime


_COLUMNS = (
    deliveries.c.id,
    deliveries.c.delivery_key,
    deliveries.c.verdict,
    deliveries.c.issues,
    deliveries.c.run_id,
    deliveries.c.received_at,
)


def record_delivery(
    connection: Connection,
    *,
    trigger: str,
    delivery_key: str,
    method: str,
    headers: Mapping[str, str],
    body: bytes,
) -> tuple[Delivery, bool]:
    """Store a delivery as accepted, and say whether it is to be acted on.

    It is not when the trigger accepted this key before; then the first delivery is returned. One that was refused
    may come again, since its graph may have been mended. Concurrent calls with one key wait for the first to end.
    """
    values = {"method": method, "headers": dict(headers), "body": body, "verdict": ACCEPTED}
    row = connection.execute(
        insert(deliveries)
        .values(id=str(uuid.uuid4()), trigger=trigger, delivery_key=delivery_key, **values)
        .on_conflict_do_update(
            index_elements=["trigger", "delivery_key"],
            set_={**values, "issues": None, "received_at": sa.func.clock_timestamp()},
            where=deliveries.c.verdict == REFUSED,
        )
        .returning(*_COLUMNS)
    ).first()
    if row is not None:
        return Delivery(**row._mapping), True
    same = sa.and_(deliveries.c.trigger == trigger, deliveries.c.delivery_key == delivery_key)
    return Delivery(**connection.execute(sa.select(*_COLUMNS).where(same)).one()._mapping), False


def connect_run(connection: Connection, delivery_id: str, run_id: str) -> None:
    """Note the run that the delivery started."""
    connection.execute(deliveries.update().where(deliveries.c.id == delivery_id).values(run_id=run_id))


def refuse_delivery(connection: Connection, delivery_id: str, issues: list[dict[str, Any]]) -> None:
    """Keep the delivery with the reason why it started no run."""
    refused = deliveries.update().where(deliveries.c.id == delivery_id)
    connection.execute(refused.values(verdict=REFUSED, issues=issues))
