"""Triggers of graphs. A webhook keeps its unguessable address through all versions of its graph."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from platform_core.database.tables import triggers
from platform_core.errors import TriggerNotFound

WEBHOOK = "webhook"


@dataclass(frozen=True)
class NewTrigger:
    """A trigger as a graph's document declares it."""

    trigger_id: str
    type: str
    config: dict[str, Any]
    enabled: bool = True


@dataclass(frozen=True)
class Trigger:
    """A stored trigger; `trigger_id` is its name in the document, `hook_id` the secret end of a webhook's address."""

    id: str
    graph_id: str
    trigger_id: str
    type: str
    hook_id: str | None
    enabled: bool
    config: dict[str, Any]
    created_at: datetime
    updated_at: datetime


_COLUMNS = (
    triggers.c.id,
    triggers.c.graph_id,
    triggers.c.trigger_id,
    triggers.c.type,
    triggers.c.hook_id,
    triggers.c.enabled,
    triggers.c.config,
    triggers.c.created_at,
    triggers.c.updated_at,
)


def sync_triggers(connection: Connection, graph_id: str, declared: Sequence[NewTrigger]) -> None:
    """Make the graph's triggers those declared.

    One that stays keeps its address and whether it is enabled; one that was removed and comes back has both again.
    """
    names = [new.trigger_id for new in declared]
    gone = triggers.update().where(triggers.c.graph_id == graph_id, triggers.c.trigger_id.not_in(names))
    connection.execute(gone.where(triggers.c.removed_at.is_(None)).values(removed_at=sa.func.clock_timestamp()))
    for new in declared:
        added = insert(triggers).values(
            id=str(uuid.uuid4()),
            graph_id=graph_id,
            trigger_id=new.trigger_id,
            type=new.type,
            hook_id=secrets.token_urlsafe(24) if new.type == WEBHOOK else None,
            enabled=new.enabled,
            config=new.config,
        )
        connection.execute(
            added.on_conflict_do_update(
                index_elements=["graph_id", "trigger_id"],
                set_={
                    "type": added.excluded.type,
                    # The address survives only as long as the trigger is a webhook.
                    "hook_id": sa.case(
                        (
                            added.excluded.hook_id.is_not(None),
                            sa.func.coalesce(triggers.c.hook_id, added.excluded.hook_id),
                        )
                    ),
                    "previous_hook_id": sa.case((added.excluded.hook_id.is_not(None), triggers.c.previous_hook_id)),
                    "config": added.excluded.config,
                    "updated_at": sa.func.clock_timestamp(),
                    "removed_at": None,
                },
            )
        )


def list_triggers(connection: Connection, graph_id: str) -> list[Trigger]:
    """The triggers of the graph's current version, by name."""
    query = sa.select(*_COLUMNS).where(triggers.c.graph_id == graph_id, triggers.c.removed_at.is_(None))
    return [Trigger(**row._mapping) for row in connection.execute(query.order_by(triggers.c.trigger_id))]


def get_trigger(connection: Connection, graph_id: str, trigger_id: str) -> Trigger:
    """The trigger of the graph's current version. Raises `TriggerNotFound`."""
    same = sa.and_(triggers.c.graph_id == graph_id, triggers.c.trigger_id == trigger_id)
    row = connection.execute(sa.select(*_COLUMNS).where(same, triggers.c.removed_at.is_(None))).first()
    if row is None:
        raise TriggerNotFound(f"The graph has no trigger {trigger_id}.")
    return Trigger(**row._mapping)
