"""The executing side of runs: what the daemon submits and cancels, and what a run worker has to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from platform_core import channels
from platform_core.errors import RunNotFound, VersionNotFound
from platform_core.run_store import QUEUED, announce
from platform_core.tables import graph_versions, graphs, run_events, runs, users


@dataclass(frozen=True)
class PinnedVersion:
    """One immutable document with the names its job is known by, also of a graph that was deleted since."""

    graph_id: str
    graph: str
    owner_id: str
    owner: str
    version: int
    document: str


@dataclass(frozen=True)
class Execution:
    """A run as its worker and its templates see it; `trigger` holds `kind`, `id` and the trigger's data."""

    run_id: str
    graph_id: str
    graph: str
    version: int
    owner_id: str
    owner: str
    params: dict[str, Any]
    tags: dict[str, str]
    priority: int
    trigger: Mapping[str, Any]
    parent_run_id: str | None = None
    retry_from: str | None = None


_EXECUTION = (
    sa.select(
        runs.c.run_id,
        runs.c.graph_id,
        graphs.c.name.label("graph"),
        runs.c.version,
        runs.c.owner_id,
        users.c.name.label("owner"),
        runs.c.params,
        runs.c.tags,
        runs.c.priority,
        runs.c.trigger_kind,
        runs.c.trigger_id,
        runs.c.trigger_data,
        runs.c.parent_run_id,
        runs.c.retry_from,
    )
    .join(graphs, graphs.c.id == runs.c.graph_id)
    .join(users, users.c.id == runs.c.owner_id)
)


def read_version(connection: Connection, graph_id: str, version: int) -> PinnedVersion:
    """Raises `VersionNotFound`."""
    row = connection.execute(
        sa.select(
            graphs.c.id.label("graph_id"),
            graphs.c.name.label("graph"),
            graphs.c.owner_id,
            users.c.name.label("owner"),
            graph_versions.c.version,
            graph_versions.c.document,
        )
        .join(graphs, graphs.c.id == graph_versions.c.graph_id)
        .join(users, users.c.id == graphs.c.owner_id)
        .where(graph_versions.c.graph_id == graph_id, graph_versions.c.version == version)
    ).first()
    if row is None:
        raise VersionNotFound(f"Graph {graph_id} has no version {version}.", version=version)
    return PinnedVersion(**row._mapping)


def read_execution(connection: Connection, run_id: str) -> Execution:
    """Raises `RunNotFound`."""
    row = connection.execute(_EXECUTION.where(runs.c.run_id == run_id)).first()
    if row is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return _execution(row._mapping)


def adopt_run(connection: Connection, run_id: str, graph_id: str, version: int, params: Mapping[str, Any]) -> bool:
    """Give a run that was started in Dagster's UI its row here; returns whether it had none and now has one."""
    owner = sa.select(graphs.c.owner_id).where(graphs.c.id == graph_id).scalar_subquery()
    values = {
        "run_id": run_id,
        "graph_id": graph_id,
        "version": version,
        "owner_id": owner,
        "status": QUEUED,
        "trigger_kind": "manual",
        "trigger_id": "dagster-ui",
        "params": dict(params),
        "tags": {},
        "last_seq": 1,
        "submitted_at": sa.func.clock_timestamp(),
    }
    statement = insert(runs).values(values).on_conflict_do_nothing(index_elements=["run_id"])
    if connection.execute(statement.returning(runs.c.run_id)).first() is None:
        return False
    announce(connection, run_id, "manual")
    return True


def list_unsubmitted(connection: Connection, limit: int) -> list[Execution]:
    """Accepted runs that Dagster does not know yet, the oldest first, but for those that are to be cancelled."""
    query = (
        _EXECUTION.where(runs.c.submitted_at.is_(None), runs.c.ended_at.is_(None), runs.c.cancel_requested_at.is_(None))
        .order_by(runs.c.created_at)
        .limit(limit)
    )
    return [_execution(row._mapping) for row in connection.execute(query)]


def mark_submitted(connection: Connection, run_id: str) -> None:
    """Say that Dagster knows the run from now on."""
    connection.execute(runs.update().where(runs.c.run_id == run_id).values(submitted_at=sa.func.clock_timestamp()))


def list_to_cancel(connection: Connection) -> list[str]:
    """Ids of the runs that are to be cancelled and have not ended."""
    query = sa.select(runs.c.run_id).where(runs.c.cancel_requested_at.is_not(None), runs.c.ended_at.is_(None))
    return list(connection.execute(query).scalars())


def end_unsubmitted(connection: Connection, run_id: str, status: str, error: Mapping[str, Any]) -> bool:
    """End a run that Dagster never knew: `status` FAILURE or CANCELED with `error` {kind, message, node}.

    Returns whether it did; a run that was submitted or has ended meanwhile is not touched.
    """
    row = connection.execute(
        runs.update()
        .where(runs.c.run_id == run_id, runs.c.submitted_at.is_(None), runs.c.ended_at.is_(None))
        .values(status=status, error=dict(error), ended_at=sa.func.clock_timestamp(), last_seq=runs.c.last_seq + 1)
        .returning(runs.c.last_seq)
    ).first()
    if row is None:
        return False
    event = {
        "run_id": run_id,
        "seq": row.last_seq,
        "ts": sa.func.clock_timestamp(),
        "type": "run.failed" if status == "FAILURE" else "run.canceled",
        "level": "error" if status == "FAILURE" else "warning",
        "message": error["message"],
        "data": {"error": dict(error)} if status == "FAILURE" else {},
    }
    connection.execute(run_events.insert().values(event))
    connection.execute(sa.select(sa.func.pg_notify(channels.EVENTS, f"{run_id}:{row.last_seq}")))
    return True


def _execution(row: sa.RowMapping) -> Execution:
    fields: dict[str, Any] = {str(name): value for name, value in row.items()}
    trigger = {"kind": fields.pop("trigger_kind"), "id": fields.pop("trigger_id")} | (fields.pop("trigger_data") or {})
    return Execution(trigger=trigger, **fields)
