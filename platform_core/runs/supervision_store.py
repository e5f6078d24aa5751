"""What supervision in a cluster asks of the runs: which go on, which have ended, a new one for one that was lost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import runs
from platform_core.facts.run_status import IN_PROGRESS, RunStatus
from platform_core.runs.run_store import FROM_FAILURE, Run, accept_run, get_run, retry_of

MOST_LOSSES = 3
"""Workers that a run may lose, and go on."""
ATTEMPT_TAG = "headrace/infrastructure_attempt"
"""Tag of a run that replaces one that the cluster lost: which of them it is."""


@dataclass(frozen=True)
class RunInProgress:
    """A run that has, or is to have, something that executes it."""

    run_id: str
    status: RunStatus
    graph_id: str
    version: int
    tags: dict[str, str]


def list_in_progress(connection: Connection) -> list[RunInProgress]:
    """The runs that were launched and have not ended."""
    columns = (runs.c.run_id, runs.c.status, runs.c.graph_id, runs.c.version, runs.c.tags)
    query = sa.select(*columns).where(runs.c.ended_at.is_(None), runs.c.status.in_(IN_PROGRESS))
    return [RunInProgress(**row._mapping) for row in connection.execute(query)]


def without_work(connection: Connection, run_ids: Collection[str]) -> set[str]:
    """Those of the ids whose run has ended, or that no run has: nothing may execute them."""
    query = sa.select(runs.c.run_id).where(runs.c.run_id.in_(run_ids), runs.c.ended_at.is_(None))
    return set(run_ids) - set(connection.execute(query).scalars())


def is_cancel_requested(connection: Connection, run_id: str) -> bool:
    """Whether somebody asked to cancel the run."""
    query = sa.select(runs.c.cancel_requested_at).where(runs.c.run_id == run_id)
    return connection.execute(query).scalar() is not None


def has_begun(connection: Connection, run_id: str) -> bool:
    """Whether a worker ever began to execute the run."""
    return connection.execute(sa.select(runs.c.started_at).where(runs.c.run_id == run_id)).scalar() is not None


def may_go_on(connection: Connection, run_id: str) -> bool:
    """Whether a run whose worker is lost is to be given to another one; counts the loss.

    Asked again before another worker has taken the run over, it answers the same without counting.
    """
    row = connection.execute(
        sa.text(
            """
            SELECT r.status, r.losses, r.generation, v.document::json #>> '{settings,on_worker_loss}' AS wish,
                   EXISTS (SELECT FROM headrace.run_events e
                           WHERE e.run_id = r.run_id AND e.type = 'run.started' AND e.note IS NOT NULL) AS is_journaled
            FROM headrace.runs r JOIN headrace.graph_versions v USING (graph_id, version)
            WHERE r.run_id = :run AND r.ended_at IS NULL FOR UPDATE OF r
            """
        ),
        {"run": run_id},
    ).first()
    if row is None or row.wish == "fail":
        return False
    if row.status == RunStatus.RUNNING and row.is_journaled:
        if row.losses > row.generation:
            return True
        is_counted = bool(row.losses < MOST_LOSSES)
    else:
        is_counted = bool(row.status == RunStatus.STARTING and row.losses == 0)
    if is_counted:
        connection.execute(runs.update().where(runs.c.run_id == run_id).values(losses=runs.c.losses + 1))
    return is_counted


def replace_lost(connection: Connection, run_id: str, most: int) -> Run | None:
    """Accept a new run in place of one that the cluster lost, from where it failed; once, however often it is asked.

    None if `most` were accepted already, or the run did not fail or was to be canceled.
    """
    lost = get_run(connection, run_id)
    before = lost.tags.get(ATTEMPT_TAG, "0")
    attempt = (int(before) if before.isdecimal() else 0) + 1
    if attempt > most or lost.status != RunStatus.FAILURE or is_cancel_requested(connection, run_id):
        return None
    new = replace(
        retry_of(connection, lost, FROM_FAILURE),
        tags={**lost.tags, ATTEMPT_TAG: str(attempt)},
        idempotency_key=f":infrastructure:{run_id}",
    )
    accepted, _ = accept_run(connection, new)
    return accepted
