"""Figures about the runs and the database, for metrics; each is one cheap query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

MOST = 5_000
"""Ended runs told of in one answer; more come in the next."""


@dataclass(frozen=True)
class EndedRun:
    """How long a run took, in seconds, from its acceptance."""

    status: str
    ended_at: datetime
    seconds: float
    first_node_seconds: float | None


@dataclass(frozen=True)
class DatabaseState:
    """Of the server: its time, the size of our database, and connections."""

    now: datetime
    size_bytes: int
    connections: int
    limit: int


_STATE = sa.text(
    """
    SELECT clock_timestamp() AS now, pg_database_size(current_database()) AS size_bytes,
        (SELECT count(*) FROM pg_stat_activity) AS connections, current_setting('max_connections')::int AS limit
    """
)
_QUEUE = sa.text(
    """
    SELECT status, count(*) AS number,
        coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float AS oldest
    FROM headrace.runs WHERE ended_at IS NULL GROUP BY status
    """
)
_ENDED = sa.text(
    """
    SELECT runs.status, runs.ended_at, extract(epoch FROM runs.ended_at - runs.created_at)::float AS seconds,
        extract(epoch FROM first.ts - runs.created_at)::float AS first_node_seconds
    FROM headrace.runs
    LEFT JOIN LATERAL (
        SELECT ts FROM headrace.run_events
        WHERE run_events.run_id = runs.run_id AND type = 'node.started' ORDER BY seq LIMIT 1
    ) AS first ON true
    WHERE runs.ended_at > :since ORDER BY runs.ended_at LIMIT :most
    """
)


def database_state(connection: Connection) -> DatabaseState:
    """The server's state now."""
    return DatabaseState(**connection.execute(_STATE).one()._mapping)


def queue_state(connection: Connection) -> tuple[dict[str, int], float]:
    """How many runs have each status and have not ended, and the age in seconds of the oldest queued one."""
    rows = {row.status: row for row in connection.execute(_QUEUE)}
    return {status: row.number for status, row in rows.items()}, rows["QUEUED"].oldest if "QUEUED" in rows else 0.0


def ended_since(connection: Connection, since: datetime) -> list[EndedRun]:
    """The runs that ended after `since`, in that order, `MOST` at most."""
    return [EndedRun(**row._mapping) for row in connection.execute(_ENDED, {"since": since, "most": MOST})]
