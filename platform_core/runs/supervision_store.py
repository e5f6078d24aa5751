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
_GOES_ON = """
SELECT r.status, r.losses, r.losses + r.wakes AS worker, r.generation,
       v.document::json #>> '{settings,on_worker_loss}' AS wish,
       EXISTS (SELECT FROM headrace.run_events e
               WHERE e.run_id = r.run_id AND e.type = 'run.started' AND e.note IS NOT NULL) AS is_journaled
FROM headrace.runs r JOIN headrace.graph_versions v USING (graph_id, version)
WHERE r.run_id = :run AND r.ended_at IS NULL
"""
_WORKER = runs.c.losses + runs.c.wakes
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
    generation: int = 0
    worker: int = 0
    """Which of its workers is, or is to be, the one that executes it; it gets another after a loss or a wait."""

    @property
    def is_between_workers(self) -> bool:
        """Whether it has lost or left a worker, and no other has taken it over yet."""
        return self.status in (RunStatus.RUNNING, RunStatus.CANCELING) and self.worker > self.generation


def list_in_progress(connection: Connection) -> list[RunInProgress]:
    """The runs that were launched and have not ended."""
    names = ("run_id", "status", "graph_id", "version", "tags", "generation")
    columns = [runs.c[name] for name in names]
    query = sa.select(*columns, _WORKER.label("worker")).where(
        runs.c.ended_at.is_(None), runs.c.status.in_(IN_PROGRESS)
    )
    return [RunInProgress(**row._mapping) for row in connection.execute(query)]


def without_work(connection: Connection, run_ids: Collection[str]) -> set[str]:
    """Those of the ids whose run has ended, or that no run has: nothing may execute them."""
    query = sa.select(runs.c.run_id).where(runs.c.run_id.in_(run_ids), runs.c.ended_at.is_(None))
    return set(run_ids) - set(connection.execute(query).scalars())


def is_cancel_requested(connection: Connection, run_id: str) -> bool:
    """Whether somebody asked to cancel the run."""
    query = sa.select(runs.c.cancel_requested_at).where(runs.c.run_id == run_id)
    return connection.execute(query).scalar() is not None


def worker_of(connection: Connection, run_id: str) -> int:
    """Which of the run's workers, from 0, executes it or is to."""
    return int(connection.execute(sa.select(_WORKER).where(runs.c.run_id == run_id)).scalar() or 0)


def next_worker(connection: Connection, run_id: str) -> int:
    """Have another worker take over the run, which waits without one; which it is."""
    change = runs.update().where(runs.c.run_id == run_id).values(wakes=runs.c.wakes + 1).returning(_WORKER)
    return int(connection.execute(change).scalar_one())


def could_go_on(connection: Connection, run_id: str) -> bool:
    """Whether `may_go_on` would give a run that is executed now to another worker; counts nothing."""
    row = connection.execute(sa.text(_GOES_ON), {"run": run_id}).first()
    return row is not None and row.wish != "fail" and row.is_journaled and row.losses < MOST_LOSSES


def awaits_worker(connection: Connection, run_id: str, worker: int) -> bool:
    """Whether this worker is to take over the run, and has not yet."""
    query = sa.select(runs.c.generation, _WORKER.label("worker"))
    row = connection.execute(query.where(runs.c.run_id == run_id, runs.c.ended_at.is_(None))).first()
    return row is not None and row.worker == worker and row.generation < worker


def has_begun(connection: Connection, run_id: str) -> bool:
    """Whether a worker ever began to execute the run."""
    return connection.execute(sa.select(runs.c.started_at).where(runs.c.run_id == run_id)).scalar() is not None


def may_go_on(connection: Connection, run_id: str) -> bool:
    """Whether a run whose worker is lost is to be given to another one; counts the loss.

    Asked again before another worker has taken the run over, it answers the same without counting.
    """
    row = connection.execute(sa.text(f"{_GOES_ON} FOR UPDATE OF r"), {"run": run_id}).first()
    if row is None or row.wish == "fail":
        return False
    if row.status == RunStatus.RUNNING and row.is_journaled:
        if row.worker > row.generation:
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
