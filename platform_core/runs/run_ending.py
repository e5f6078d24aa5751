"""The end of a run that Dagster never knew: nobody else can write it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core import channels
from platform_core.database.tables import run_events, runs
from platform_core.facts.run_error import RunError
from platform_core.facts.run_status import RunStatus

NOT_BEGUN = "The run was canceled before it began."


def end_unsubmitted(connection: Connection, run_id: str, status: RunStatus, error: RunError) -> bool:
    """End a run that Dagster never knew: `status` FAILURE or CANCELED with this error.

    Returns whether it did; a run that was submitted or has ended meanwhile is not touched.
    """
    row = connection.execute(
        runs.update()
        .where(runs.c.run_id == run_id, runs.c.submitted_at.is_(None), runs.c.ended_at.is_(None))
        .values(
            status=status,
            error=error.as_dict(),
            outputs=None,
            ended_at=sa.func.clock_timestamp(),
            last_seq=runs.c.last_seq + 1,
        )
        .returning(runs.c.last_seq)
    ).first()
    if row is None:
        return False
    event = {
        "run_id": run_id,
        "seq": row.last_seq,
        "ts": sa.func.clock_timestamp(),
        "type": "run.failed" if status == RunStatus.FAILURE else "run.canceled",
        "level": "error" if status == RunStatus.FAILURE else "warning",
        "message": error.message,
        "data": {"error": error.as_dict()} if status == RunStatus.FAILURE else {},
    }
    connection.execute(run_events.insert().values(event))
    connection.execute(sa.select(sa.func.pg_notify(channels.EVENTS, f"{run_id}:{row.last_seq}")))
    return True


def cancel_unsubmitted(connection: Connection, run_id: str) -> bool:
    """End a run that waits as CANCELED; False if Dagster knows it or it has ended."""
    return end_unsubmitted(connection, run_id, RunStatus.CANCELED, RunError("canceled", NOT_BEGUN))
