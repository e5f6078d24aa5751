"""The end of a run that Dagster never knew: nobody else can write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core import channels
from platform_core.database.tables import run_events, runs

NOT_BEGUN = "The run was canceled before it began."


def end_unsubmitted(connection: Connection, run_id: str, status: str, error: Mapping[str, Any]) -> bool:
    """End a run that Dagster never knew: `status` FAILURE or CANCELED with `error` {kind, message, node}.

    Returns whether it did; a run that was submitted or has ended meanwhile is not touched.
    """
    row = connection.execute(
        runs.update()
        .where(runs.c.run_id == run_id, runs.c.submitted_at.is_(None), runs.c.ended_at.is_(None))
        .values(
            status=status,
            error=dict(error),
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
        "type": "run.failed" if status == "FAILURE" else "run.canceled",
        "level": "error" if status == "FAILURE" else "warning",
        "message": error["message"],
        "data": {"error": dict(error)} if status == "FAILURE" else {},
    }
    connection.execute(run_events.insert().values(event))
    connection.execute(sa.select(sa.func.pg_notify(channels.EVENTS, f"{run_id}:{row.last_seq}")))
    return True


def cancel_unsubmitted(connection: Connection, run_id: str) -> bool:
    """End a run that waits as CANCELED; False if Dagster knows it or it has ended."""
    error = {"kind": "canceled", "message": NOT_BEGUN, "node": None}
    return end_unsubmitted(connection, run_id, "CANCELED", error)
