"""Webhooks by their addresses: found with all that a call is checked with, rotated, and counted against their limit."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.rates import take
from platform_core.database.tables import graphs, hook_rates, triggers, users
from platform_core.database.tables import secrets as secrets_table

LIVE_WEBHOOKS = """
    SELECT guards.place, triggers.id AS trigger, triggers.trigger_id, graphs.id AS graph_id, graphs.owner_id,
        guards.version
    FROM guards JOIN headrace.triggers ON triggers.id = CAST(guards.trigger AS uuid)
    JOIN headrace.graphs ON graphs.id = triggers.graph_id
    WHERE triggers.removed_at IS NULL AND graphs.deleted_at IS NULL AND graphs.current_version = guards.version
        AND (
            guards.webhook_id IS NULL OR triggers.enabled AND (
                triggers.hook_id = guards.webhook_id
                OR triggers.previous_hook_id = guards.webhook_id AND triggers.previous_hook_until > clock_timestamp()
            )
        )
        AND coalesce((
            SELECT string_agg(secrets.name || ' ' || secrets.updated_at, ',' ORDER BY secrets.name)
            FROM headrace.secrets
            WHERE secrets.owner_id = graphs.owner_id AND secrets.name = ANY(string_to_array(guards.secret_names, ' '))
        ), '') = guards.secrets_stamp
"""
"""SQL of those of the relation `guards` that still hold; its columns are `place` and the names of `Guard`."""


class Guard(NamedTuple):
    """What is known of a webhook and must hold when a call of it is stored; no `webhook_id` for one without a call."""

    trigger: str
    webhook_id: str | None
    version: int
    secret_names: str
    secrets_stamp: str


@dataclass(frozen=True)
class Webhook:
    """A webhook as it was read: `webhook_id` is the address that was called, `ciphertexts` its secrets by name.

    Code that acts on it later has to make sure that it is among the `LIVE_WEBHOOKS`, in the statement that acts.
    """

    trigger: str
    trigger_id: str
    webhook_id: str | None
    enabled: bool
    graph_id: str
    graph: str
    owner_id: str
    owner: str
    version: int
    ciphertexts: Mapping[str, bytes]
    secret_names: Sequence[str]
    secrets_stamp: str

    @property
    def guard(self) -> Guard:
        return Guard(self.trigger, self.webhook_id, self.version, " ".join(self.secret_names), self.secrets_stamp)


@dataclass(frozen=True)
class WebhookPlace:
    """Where an address leads: the trigger and the version its graph has now."""

    trigger: str
    trigger_id: str
    enabled: bool
    graph_id: str
    graph: str
    owner_id: str
    owner: str
    version: int


_PLACE = (
    sa.select(
        triggers.c.id.label("trigger"),
        triggers.c.trigger_id,
        triggers.c.enabled,
        graphs.c.id.label("graph_id"),
        graphs.c.name.label("graph"),
        graphs.c.owner_id,
        users.c.name.label("owner"),
        graphs.c.current_version.label("version"),
    )
    .join(graphs, graphs.c.id == triggers.c.graph_id)
    .join(users, users.c.id == graphs.c.owner_id)
    .where(triggers.c.removed_at.is_(None), graphs.c.deleted_at.is_(None), triggers.c.hook_id.is_not(None))
)


def find_webhook(connection: Connection, webhook_id: str) -> WebhookPlace | None:
    """Where this address leads, unless it ran out or its webhook or graph was removed."""
    former = sa.and_(
        triggers.c.previous_hook_id == webhook_id, triggers.c.previous_hook_until > sa.func.clock_timestamp()
    )
    row = connection.execute(_PLACE.where(sa.or_(triggers.c.hook_id == webhook_id, former))).first()
    return None if row is None else WebhookPlace(**row._mapping)


def find_trigger(connection: Connection, trigger: str) -> WebhookPlace | None:
    """Where this webhook is, unless it or its graph was removed; `trigger` is the row's id."""
    row = connection.execute(_PLACE.where(triggers.c.id == trigger)).first()
    return None if row is None else WebhookPlace(**row._mapping)


def read_webhook(
    connection: Connection, place: WebhookPlace, webhook_id: str | None, secret_names: Sequence[str]
) -> Webhook:
    """The webhook with its owner's secrets of these names, as far as there are any."""
    columns = secrets_table.c
    stamp = sa.cast(columns.updated_at, sa.Text)
    query = sa.select(columns.name, columns.ciphertext, stamp).where(
        columns.owner_id == place.owner_id, columns.name.in_(secret_names)
    )
    rows = connection.execute(query.order_by(columns.name)).all() if secret_names else []
    return Webhook(
        **vars(place),
        webhook_id=webhook_id,
        ciphertexts={name: ciphertext for name, ciphertext, _ in rows},
        secret_names=secret_names,
        secrets_stamp=",".join(f"{name} {changed}" for name, _, changed in rows),
    )


def rotate_address(connection: Connection, trigger: str, overlap: float) -> tuple[str, datetime | None]:
    """Give the webhook a new address, and let the old one live for `overlap` seconds; the new one, the old's end.

    The one before the old one, if it still lives, ends at once.
    """
    webhook_id = secrets.token_urlsafe(24)
    row = connection.execute(
        triggers.update()
        .where(triggers.c.id == trigger)
        .values(
            hook_id=webhook_id,
            previous_hook_id=triggers.c.hook_id if overlap > 0 else None,
            previous_hook_until=sa.func.clock_timestamp() + sa.func.make_interval(0, 0, 0, 0, 0, 0, overlap)
            if overlap > 0
            else None,
            updated_at=sa.func.clock_timestamp(),
        )
        .returning(triggers.c.previous_hook_until)
    ).one()
    return webhook_id, row.previous_hook_until


def take_call(connection: Connection, trigger: str, requests: int, per: float) -> float:
    """Count a call against `requests` in `per` seconds: 0 if it may pass, else the seconds until one may."""
    return take(connection, hook_rates, trigger, requests, per)
