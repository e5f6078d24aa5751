"""Storing deliveries and the runs they start: any number of them in one statement, which is one transaction.

What each costs is little beside what a statement does: one round trip, one commit, one wait for the disk.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy.engine import Connection

from platform_core import channels
from platform_core.database.hot_statement import hot_statement
from platform_core.database.tables import json_text
from platform_core.errors import Unavailable
from platform_core.facts.run_status import RunStatus
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.runs.run_event_store import RUN_QUEUED
from platform_core.triggers.delivery_store import ACCEPTED, Entry, Kept, find_accepted
from platform_core.triggers.webhook_store import LIVE_WEBHOOKS

_GUARDS = "place int, trigger uuid, webhook_id text, version int, secret_names text, secrets_stamp text"
_GIVEN = """
    place int, webhook int, id uuid, delivery_key text, method text, path text, query text, headers text, body_size int,
    client text, verdict text, issues text, replay_of uuid, run_id text, trigger_data text, params text, tags text,
    priority int, parent_run_id text
"""
# A delivery that started no run may come again, since its graph may have been mended. Rows with one key are stored in
# the same order by everyone, so that two statements cannot wait for each other.
_STORE = f"""
    WITH guards AS (SELECT * FROM json_to_recordset(%s) AS guards ({_GUARDS})),
    given AS (SELECT * FROM json_to_recordset(%s) AS given ({_GIVEN})),
    webhooks AS ({LIVE_WEBHOOKS}), delivered AS (
        INSERT INTO headrace.deliveries AS known (
            id, trigger, delivery_key, method, path, query, headers, body, body_size, client, verdict, issues, run_id,
            replay_of
        ) SELECT given.id, webhooks.trigger, delivery_key, method, path, query, headers,
            (CAST(%b AS bytea[]))[given.place], body_size, client, verdict, issues, run_id, replay_of
        FROM given JOIN webhooks ON webhooks.place = given.webhook
        ORDER BY webhooks.trigger, delivery_key
        ON CONFLICT (trigger, delivery_key) DO UPDATE SET
            method = excluded.method, path = excluded.path, query = excluded.query, headers = excluded.headers,
            body = excluded.body, body_size = excluded.body_size, client = excluded.client,
            verdict = excluded.verdict, issues = excluded.issues, run_id = excluded.run_id,
            received_at = clock_timestamp()
        WHERE known.verdict <> '{ACCEPTED}'
        RETURNING id, trigger, delivery_key, run_id
    ), accepted AS (
        INSERT INTO headrace.runs (
            run_id, graph_id, version, owner_id, status, trigger_kind, trigger_id, trigger_data, params, tags,
            priority, parent_run_id, idempotency_key, last_seq
        ) SELECT given.run_id, webhooks.graph_id, webhooks.version, webhooks.owner_id, '{RunStatus.QUEUED}',
            '{TriggerKind.WEBHOOK}', webhooks.trigger_id, trigger_data, params, tags, priority, parent_run_id,
            ':delivery:' || delivered.id, 1
        FROM given JOIN webhooks ON webhooks.place = given.webhook JOIN delivered ON delivered.run_id = given.run_id
        ORDER BY given.place
        RETURNING run_id, created_at
    ), queued AS (
        INSERT INTO headrace.run_events (run_id, seq, ts, type, level, message, data)
        SELECT run_id, 1, created_at, '{RUN_QUEUED}', 'info', 'The run was accepted.',
            '{{"trigger":"{TriggerKind.WEBHOOK}"}}'
        FROM accepted
    )
    SELECT given.place, webhooks.place IS NOT NULL, delivered.id,
        CASE WHEN accepted.run_id IS NOT NULL THEN pg_notify('{channels.EVENTS}', accepted.run_id || ':1') END,
        CASE WHEN accepted.run_id IS NOT NULL
            THEN pg_notify('{channels.QUEUE}', (SELECT min(run_id) FROM accepted)) END
    FROM given LEFT JOIN webhooks ON webhooks.place = given.webhook
    LEFT JOIN delivered ON delivered.trigger = webhooks.trigger AND delivered.delivery_key = given.delivery_key
    LEFT JOIN accepted ON accepted.run_id = delivered.run_id
"""  # noqa: S608 - only constants of ours are put in
_STATEMENT = hot_statement(_STORE).encode()


def store_deliveries(connection: Connection, entries: Sequence[Entry]) -> list[Kept | None]:
    """Store each delivery and its run, both or none; None for one whose webhook is no longer what its entry says.

    `connection` is in autocommit. If the trigger accepted a key before, the first delivery is returned; concurrent
    calls with one key wait for the first to end. A run's `idempotency_key` is made of the delivery, so it has to be
    None. If one cannot be stored, none is. Raises `Unavailable`.
    """
    first: dict[tuple[str, str], int] = {}
    for at, entry in enumerate(entries):
        first.setdefault((entry.webhook.trigger, entry.new.delivery_key), at)
    kept = dict(zip(first.values(), _store(connection, [entries[at] for at in first.values()]), strict=True))
    again = [at for at in range(len(entries)) if at not in kept]
    if again:
        kept |= zip(again, store_deliveries(connection, [entries[at] for at in again]), strict=True)
    return [kept[at] for at in range(len(entries))]


def store_delivery(connection: Connection, entry: Entry) -> Kept | None:
    """As `store_deliveries` does with one."""
    [kept] = store_deliveries(connection, [entry])
    return kept


def _store(connection: Connection, entries: Sequence[Entry]) -> list[Kept | None]:
    """`entries` have different keys."""
    run_ids = [None if entry.run is None else entry.run.run_id or str(uuid.uuid4()) for entry in entries]
    guards = list(dict.fromkeys(entry.webhook.guard for entry in entries))
    given = [
        {"place": place, "webhook": guards.index(entry.webhook.guard), **_row(entry, run_id)}
        for place, (entry, run_id) in enumerate(zip(entries, run_ids, strict=True), 1)
    ]
    webhooks = [{"place": place, **guard._asdict()} for place, guard in enumerate(guards)]
    found = _executed(connection, json_text(webhooks), json_text(given), [entry.new.body for entry in entries])
    outcomes = {place: (is_live, identity) for place, is_live, identity, *_ in found}
    return [
        _kept(connection, entry, *outcomes[place], run_id)
        for place, (entry, run_id) in enumerate(zip(entries, run_ids, strict=True), 1)
    ]


def _executed(connection: Connection, *values: Any) -> list[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    try:
        # Past SQLAlchemy, which would send the bodies as text.
        return driver.execute(_STATEMENT, values, prepare=True).fetchall()
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        if driver.closed:
            connection.invalidate(error)
        raise Unavailable("The database cannot be reached; try again in a moment.") from error


def _row(entry: Entry, run_id: str | None) -> dict[str, Any]:
    new, run = entry.new, entry.run
    row = {
        "id": new.id,
        "delivery_key": new.delivery_key,
        "method": new.method,
        "path": new.path,
        "query": json_text(new.query),
        "headers": json_text(new.headers),
        "body_size": new.body_size,
        "client": new.client,
        "verdict": entry.verdict,
        "issues": json_text(entry.issues),
        "replay_of": new.replay_of,
    }
    if run is None:
        return row
    return row | {
        "run_id": run_id,
        "trigger_data": json_text(run.trigger_data),
        "params": json_text(run.params),
        "tags": json_text(run.tags),
        "priority": run.priority,
        "parent_run_id": run.parent_run_id,
    }


def _kept(
    connection: Connection, entry: Entry, is_live: bool, identity: uuid.UUID | None, run_id: str | None
) -> Kept | None:
    if not is_live:
        return None
    if identity is not None:
        return Kept(str(identity), run_id, True)
    first = find_accepted(connection, entry.webhook.trigger, entry.new.delivery_key)
    assert first is not None
    return first
