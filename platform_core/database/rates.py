"""How often something may happen, exact in all processes: one time stamp per subject, in PostgreSQL (GCRA)."""

from __future__ import annotations

import functools

import sqlalchemy as sa
from sqlalchemy.engine import Connection

# `free_at` is when all that was let through would be used up if it came evenly: one value per subject, under its row
# lock, by the database's clock, exact in all processes. Its commit is not waited for on disk.
_TAKE = """
    WITH limits AS (
        SELECT make_interval(secs => :per / :most) AS step, make_interval(secs => :per) AS span,
            set_config('synchronous_commit', 'off', true) AS quick
    )
    INSERT INTO {table} AS rates ({key}, free_at) SELECT :subject, clock_timestamp() + step FROM limits
    ON CONFLICT ({key}) DO UPDATE SET free_at = greatest(rates.free_at, clock_timestamp()) + (SELECT step FROM limits)
    WHERE greatest(rates.free_at, clock_timestamp()) + (SELECT step FROM limits)
        <= clock_timestamp() + (SELECT span FROM limits) + interval '1 microsecond'
    RETURNING free_at
"""
_WAIT = (
    "SELECT extract(epoch FROM free_at - clock_timestamp()) + :per / :most - :per FROM {table} WHERE {key} = :subject"
)
_GIVE_BACK = "UPDATE {table} SET free_at = free_at - make_interval(secs => :per / :most) WHERE {key} = :subject"


def take(connection: Connection, table: sa.Table, subject: str, most: int, per: float) -> float:
    """Count one for the subject against `most` in `per` seconds: 0 if it may pass, else the seconds until one may.

    `table` has the subject as its primary key, and `free_at`.
    """
    values = {"subject": subject, "most": float(most), "per": per}
    if connection.execute(_statement(_TAKE, table), values).first() is not None:
        return 0.0
    wait = connection.execute(_statement(_WAIT, table), values).scalar()
    return max(0.001, float(wait or 0.0))


def give_back(connection: Connection, table: sa.Table, subject: str, most: int, per: float) -> None:
    """Take one that passed out of the count again."""
    connection.execute(_statement(_GIVE_BACK, table), {"subject": subject, "most": float(most), "per": per})


@functools.cache
def _statement(template: str, table: sa.Table) -> sa.TextClause:
    [key] = table.primary_key.columns
    return sa.text(template.format(table=table.fullname, key=key.name))
