"""What supervision in a cluster asks of the runs: which go on, which have ended, a new one for one that was lost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import runs
from platform_core.runs.run_store import Run, accept_run, get_run, retry_of

IN_PROGRESS = ("STARTING", "RUNNING", "CANCELING")
ATTEMPT_TAG = "headrace/infrastructure_attempt"
"""Tag of a run that replaces one that the cluster lost: which of them it is."""


@dataclass(frozen=True)
class RunInProgress:
    """A run that has, or is to have, something that executes it."""

    run_id: str
    status: str
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


def replace_lost(connection: Connection, run_id: str, most: int) -> Run | None:
    """Accept a new run in place of one that the cluster lost, from where it failed; once, however often it is asked.

    None if `most` were accepted already, or the run did not fail or was to be cancelled.
    """
    lost = get_run(connection, run_id)
    before = lost.tags.get(ATTEMPT_TAG, "0")
    attempt = (int(before) if before.isdecimal() else 0) + 1
    if attempt > most or lost.status != "FAILURE" or is_cancel_requested(connection, run_id):
        return None
    new = replace(
        retry_of(connection, lost, "failure"),
        tags={**lost.tags, ATTEMPT_TAG: str(attempt)},
        idempotency_key=f":infrastructure:{run_id}",
    )
    accepted, _ = accept_run(connection, new)
    return accepted
