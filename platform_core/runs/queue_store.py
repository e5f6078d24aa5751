"""The queue of runs: who waits, who is executed, and each waiting run's place (docs/adr/0022).

A run waits here until its turn comes; then the daemon makes it a Dagster run and launches it at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import runs, users


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """What decides about a run's turn; `owner_limit` is the owner's own limit of concurrent runs, if there is one."""

    run_id: str
    owner_id: str
    graph_id: str
    version: int
    priority: int
    created_at: datetime
    owner_limit: int | None = None


@dataclass(frozen=True)
class Load:
    """How many runs of each owner and each graph Dagster has, and how many of all wait in Dagster's own queue."""

    owners: Counter[str]
    graphs: Counter[str]
    queued: int

    @property
    def runs(self) -> int:
        return self.owners.total()


_UNENDED = runs.c.ended_at.is_(None)
_WAITS = sa.and_(runs.c.submitted_at.is_(None), _UNENDED, runs.c.cancel_requested_at.is_(None))
_LOAD = (
    sa.select(
        runs.c.owner_id,
        runs.c.graph_id,
        sa.func.count(),
        sa.func.count().filter(runs.c.status == "QUEUED"),
    )
    .where(runs.c.submitted_at.is_not(None), _UNENDED)
    .group_by(runs.c.owner_id, runs.c.graph_id)
)


def read_load(connection: Connection) -> Load:
    """What is executed now."""
    load = Load(Counter(), Counter(), 0)
    queued = 0
    for owner_id, graph_id, number, in_dagsters_queue in connection.execute(_LOAD):
        load.owners[owner_id] += number
        load.graphs[graph_id] += number
        queued += in_dagsters_queue
    return Load(load.owners, load.graphs, queued)


def list_waiting(connection: Connection, most: int) -> list[WaitingRun]:
    """Runs that wait: of each graph version and priority the `most` oldest, since no more of them can be chosen."""
    place = sa.func.row_number().over(
        partition_by=(runs.c.owner_id, runs.c.graph_id, runs.c.version, runs.c.priority),
        order_by=(runs.c.created_at, runs.c.run_id),
    )
    columns = (
        runs.c.run_id,
        runs.c.owner_id,
        runs.c.graph_id,
        runs.c.version,
        runs.c.priority,
        runs.c.created_at,
    )
    waiting = sa.select(*columns, place.label("place")).where(_WAITS).subquery()
    query = (
        sa.select(*(waiting.c[column.name] for column in columns), users.c.max_concurrent_runs.label("owner_limit"))
        .join(users, users.c.id == waiting.c.owner_id)
        .where(waiting.c.place <= most)
    )
    return [WaitingRun(**row._mapping) for row in connection.execute(query)]


def claim(connection: Connection, run_id: str) -> bool:
    """Lock a run that waits until the end of the transaction; False if it was submitted or ended meanwhile."""
    query = sa.select(runs.c.run_id).where(runs.c.run_id == run_id, _WAITS).with_for_update()
    return connection.execute(query).first() is not None


def positions(connection: Connection, run_ids: Collection[str]) -> dict[str, int]:
    """Of those of the runs that wait: which place each has in the queue, from 1.

    It is the order in which runs begin if none ends and no limit of a graph or an owner holds one back: the highest
    priority first, then the owner with the fewest runs, then the oldest.
    """
    if not run_ids:
        return {}
    active = (
        sa.select(runs.c.owner_id, sa.func.count().label("number"))
        .where(runs.c.submitted_at.is_not(None), _UNENDED)
        .group_by(runs.c.owner_id)
        .subquery()
    )
    turn = sa.func.row_number().over(
        partition_by=runs.c.owner_id, order_by=(runs.c.priority.desc(), runs.c.created_at, runs.c.run_id)
    )
    rounds = (
        sa.select(
            runs.c.run_id,
            runs.c.priority,
            runs.c.created_at,
            (turn + sa.func.coalesce(active.c.number, 0)).label("round"),
        )
        .outerjoin(active, active.c.owner_id == runs.c.owner_id)
        .where(_WAITS)
        .subquery()
    )
    order = (rounds.c.priority.desc(), rounds.c.round, rounds.c.created_at, rounds.c.run_id)
    places = sa.select(rounds.c.run_id, sa.func.row_number().over(order_by=order).label("place")).subquery()
    query = sa.select(places.c.run_id, places.c.place).where(places.c.run_id.in_(list(run_ids)))
    return {row.run_id: row.place for row in connection.execute(query)}


@dataclass(frozen=True, slots=True)
class Depth:
    """How full the queue is: runs that wait, seconds that the oldest of them has waited, and runs with Dagster."""

    waiting: int
    oldest_seconds: float
    executed: int


def read_depth(connection: Connection) -> Depth:
    """The queue now."""
    age = sa.func.extract("epoch", sa.func.clock_timestamp() - sa.func.min(runs.c.created_at).filter(_WAITS))
    query = sa.select(
        sa.func.count().filter(_WAITS),
        sa.func.greatest(0, sa.func.coalesce(age, 0)),
        sa.func.count().filter(runs.c.submitted_at.is_not(None)),
    ).where(_UNENDED)
    waiting, oldest, executed = connection.execute(query).one()
    return Depth(waiting, float(oldest), executed)
