"""The executing side of runs: what the daemon submits and cancels, and what a run worker has to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Author, Target, TargetKind
from platform_core.database.tables import graph_versions, graphs, runs, users
from platform_core.errors import RunNotFound, VersionNotFound
from platform_core.facts.run_ref import RunRef, VersionRef
from platform_core.facts.run_status import RunStatus
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.runs.run_store import LAUNCHED_BY, announce, run_facts, select_runs

DAGSTERS_UI = "dagster-ui"
"""What triggered a run that was started there."""


@dataclass(frozen=True, kw_only=True)
class PinnedVersion(VersionRef):
    """One immutable document with the names its job is known by, also of a graph that was deleted since."""

    document: str


@dataclass(frozen=True, kw_only=True)
class Execution(RunRef):
    """A run as its worker and its templates see it; `trigger` holds `kind`, `id` and the trigger's data."""

    params: dict[str, Any]
    tags: dict[str, str]
    priority: int
    trigger: Mapping[str, Any]
    parent_run_id: str | None = None
    retry_from: str | None = None


_PARENT = sa.select(runs.c.run_id, runs.c.params)
_EXECUTION = select_runs(runs.c.priority, runs.c.trigger_data, runs.c.retry_from)


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


@dataclass(frozen=True)
class AdoptedRun:
    """A run that was started in Dagster's UI."""

    run_id: str
    graph_id: str
    version: int
    params: Mapping[str, Any] | None
    """None: those of the run that it executes again, if it does, or else none."""
    parent_run_id: str | None = None
    retry_from: str | None = None
    launched_by: Author | None = None


def adopt_run(connection: Connection, new: AdoptedRun) -> bool:
    """Give the run its row here, and the audit log one; returns whether it had none and now has one."""
    is_parent = (runs.c.run_id == new.parent_run_id, runs.c.graph_id == new.graph_id)
    parent = connection.execute(_PARENT.where(*is_parent)).first()
    given = new.params if new.params is not None else (dict(parent.params) if parent is not None else {})
    parent_id, start = (None, None) if parent is None else (parent.run_id, new.retry_from)
    owner = sa.select(graphs.c.owner_id).where(graphs.c.id == new.graph_id).scalar_subquery()
    values = {
        "run_id": new.run_id,
        "graph_id": new.graph_id,
        "version": new.version,
        "owner_id": owner,
        "status": RunStatus.QUEUED,
        "trigger_kind": TriggerKind.MANUAL,
        "trigger_id": DAGSTERS_UI,
        "params": dict(given),
        "parent_run_id": parent_id,
        "retry_from": start,
        "tags": {} if new.launched_by is None else {LAUNCHED_BY: new.launched_by.name},
        "last_seq": 1,
        "submitted_at": sa.func.clock_timestamp(),
    }
    statement = insert(runs).values(values).on_conflict_do_nothing(index_elements=["run_id"])
    stored = connection.execute(statement.returning(runs.c.owner_id)).first()
    if stored is None:
        return False
    if new.launched_by is not None:
        name = connection.execute(sa.select(graphs.c.name).where(graphs.c.id == new.graph_id)).scalar_one()
        target = Target(TargetKind.RUN, new.run_id, name, stored.owner_id)
        action = Action.RUN_LAUNCHED if parent is None else Action.RUN_RETRIED
        facts = run_facts(new.version, DAGSTERS_UI, parent_id, start)
        record(connection, new.launched_by, action, target, after=facts)
    announce(connection, new.run_id, TriggerKind.MANUAL)
    return True


def read_documents(connection: Connection, versions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """Documents of graph versions, by graph id and version."""
    key = sa.tuple_(graph_versions.c.graph_id, graph_versions.c.version)
    columns = (graph_versions.c.graph_id, graph_versions.c.version, graph_versions.c.document)
    rows = connection.execute(sa.select(*columns).where(key.in_(versions)))
    return {(row.graph_id, row.version): row.document for row in rows}


def _execution(row: sa.RowMapping) -> Execution:
    fields: dict[str, Any] = {str(name): value for name, value in row.items()}
    trigger = {"kind": fields.pop("trigger_kind").value, "id": fields.pop("trigger_id")} | (
        fields.pop("trigger_data") or {}
    )
    return Execution(trigger=trigger, **fields)
