"""Many runs of one graph accepted at once: one statement, all or nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core import channels
from platform_core.audit.audit_store import COLUMNS, GIVEN, bound
from platform_core.audit.entry import Deed, TargetKind
from platform_core.database.tables import json_text, runs
from platform_core.facts.run_status import RunStatus
from platform_core.runs.run_event_store import RUN_QUEUED
from platform_core.runs.run_store import NewRun

# The rows keep their order, so that the older of two runs is the one named first.
_ACCEPT = sa.text(
    f"""
    WITH given AS (
        SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS given (
            run_id text, version int, params text, tags text, priority int, idempotency_key text, place int
        )
    ), accepted AS (
        INSERT INTO headrace.runs (
            run_id, graph_id, version, owner_id, status, trigger_kind, params, tags, priority, idempotency_key,
            request_sha256, last_seq
        )
        SELECT run_id, CAST(:graph_id AS uuid), version, CAST(:owner_id AS uuid), '{RunStatus.QUEUED}', :trigger_kind,
            params, tags, priority, idempotency_key, :request_sha256, 1
        FROM given ORDER BY place
        ON CONFLICT (graph_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
        RETURNING run_id, created_at
    ), queued AS (
        INSERT INTO headrace.run_events (run_id, seq, ts, type, level, message, data)
        SELECT run_id, 1, created_at, '{RUN_QUEUED}', 'info', 'The run was accepted.', :event_data FROM accepted
    ), audited AS (
        INSERT INTO headrace.audit ({COLUMNS})
        SELECT {GIVEN}, '{TargetKind.RUN}', run_id, :graph, CAST(:owner_id AS uuid),
            json_build_object('version', given.version)::text
        FROM accepted JOIN given USING (run_id) ORDER BY place
    )
    SELECT run_id, pg_notify('{channels.EVENTS}', run_id || '\\:1') FROM accepted
    """  # noqa: S608 - only constants of ours are put in
)


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """What a repeated request is answered with."""

    run_id: str
    status: RunStatus
    version: int
    request_sha256: str | None


def accept_runs(connection: Connection, new: Sequence[NewRun], graph: str, deed: Deed) -> dict[int, str]:
    """Store runs of one graph, from one request, as `accept_run` does; the ids of those that are new by their index.

    A run whose key is taken is not among them: `runs_of_keys` knows it. All are of one graph, owner, kind of trigger
    and request; of a run's other sides only version, params, tags, priority and key are kept. `graph` is the name of
    their graph; with `deed` it is for the audit log, which has a row of each run.
    """
    if not new:
        return {}
    ids = [str(uuid.uuid4()) for _ in new]
    rows = [_row(run, run_id, place) for place, (run, run_id) in enumerate(zip(new, ids, strict=True))]
    first = new[0]
    given = {
        "rows": json.dumps(rows),
        "graph_id": first.graph_id,
        "owner_id": first.owner_id,
        "trigger_kind": first.trigger_kind,
        "request_sha256": first.request_sha256,
        "graph": graph,
        **bound(deed),
        "event_data": json.dumps({"trigger": first.trigger_kind}),
    }
    accepted = {row.run_id for row in connection.execute(_ACCEPT, given)}
    if accepted:
        connection.execute(sa.select(sa.func.pg_notify(channels.QUEUE, next(iter(accepted)))))
    return {place: run_id for place, run_id in enumerate(ids) if run_id in accepted}


def runs_of_keys(connection: Connection, graph_id: str, keys: Sequence[str]) -> dict[str, EarlierRun]:
    """The graph's runs by the idempotency keys that they were accepted with; a key without one is missing."""
    columns = (runs.c.run_id, runs.c.status, runs.c.version, runs.c.request_sha256)
    query = sa.select(runs.c.idempotency_key, *columns)
    found = connection.execute(query.where(runs.c.graph_id == graph_id, runs.c.idempotency_key.in_(keys)))
    return {key: EarlierRun(*more) for key, *more in found}


def _row(run: NewRun, run_id: str, place: int) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "version": run.version,
        "params": json_text(run.params),
        "tags": json_text(run.tags),
        "priority": run.priority,
        "idempotency_key": run.idempotency_key,
        "place": place,
    }
