"""The queue of runs: who waits, who is executed, and each waiting run's place (docs/adr/0022).

A run waits here until its turn comes; then the daemon makes it a Dagster run and launches it at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Connection

from platform_core.database.tables import graphs, runs, timers, triggers, users
from platform_core.facts.run_status import RunStatus
from platform_core.facts.trigger_kind import TriggerKind


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
    is_woken: bool = False
    """Whether it has begun before, and its time to go on has come."""


@dataclass(frozen=True, slots=True)
class ChosenRun:
    """A run whose turn it is, as it has to be known to become a Dagster run."""

    run_id: str
    graph_id: str
    graph: str
    version: int
    owner: str
    tags: Mapping[str, str]
    priority: int
    trigger_kind: TriggerKind
    trigger_id: str | None
    parent_run_id: str | None
    retry_from: str | None
    is_plain_cron: bool
    """Whether it is a plain cron schedule's, as far as that is still there."""


@dataclass(frozen=True)
class Load:
    """How many runs of each owner and each graph have a worker or are about to, and how many Dagster's own queue has.

    Runs that wait for a time have none, and are not in here.
    """

    owners: Counter[str]
    graphs: Counter[str]
    queued: int
    starting: int = 0
    """How many of the runs have not begun with a worker yet."""
    to_cancel: tuple[str, ...] = ()
    """Ids of the runs that are to be canceled and have not ended."""

    @property
    def runs(self) -> int:
        return self.owners.total()


_UNENDED = sa.and_(runs.c.ended_at.is_(None), runs.c.wake_at.is_(None))
"""The second condition leaves out those that wait without a worker, of which there may be very many."""
_WAITS = sa.and_(runs.c.submitted_at.is_(None), _UNENDED, runs.c.cancel_requested_at.is_(None))
# Each of the two has an index of its own: a look of the queue reads no more of those that wait than can begin.
_EXECUTED = sa.and_(runs.c.submitted_at.is_not(None), _UNENDED)
_TO_CANCEL = sa.select(runs.c.run_id).where(runs.c.ended_at.is_(None), runs.c.cancel_requested_at.is_not(None))
_LOAD = (
    sa.select(
        runs.c.owner_id,
        runs.c.graph_id,
        sa.func.count(),
        sa.func.count().filter(runs.c.status == RunStatus.QUEUED),
        sa.func.count().filter(runs.c.status == RunStatus.STARTING),
    )
    .where(_EXECUTED)
    .group_by(runs.c.owner_id, runs.c.graph_id)
)


def read_load(connection: Connection) -> Load:
    """What is executed now, and of it and of what waits the runs that are to be canceled."""
    owners: Counter[str] = Counter()
    graphs: Counter[str] = Counter()
    queued = starting = 0
    for owner_id, graph_id, number, in_dagsters_queue, not_begun in connection.execute(_LOAD):
        owners[owner_id] += number
        graphs[graph_id] += number
        queued += in_dagsters_queue
        starting += not_begun
    return Load(owners, graphs, queued, starting, tuple(connection.execute(_TO_CANCEL).scalars()))


_WAITING_COLUMNS = (
    runs.c.run_id,
    runs.c.owner_id,
    runs.c.graph_id,
    runs.c.version,
    runs.c.priority,
    runs.c.created_at,
)


def _waiting() -> sa.Select[Any]:
    """The oldest of each line, read from the index: first which lines there are, each found from the one before."""
    line = (runs.c.owner_id, runs.c.graph_id, runs.c.version, runs.c.priority)
    first = sa.select(*line).where(_WAITS).order_by(*line).limit(1).subquery()
    lines = sa.select(first).cte("lines", recursive=True)
    following = sa.tuple_(*line) > sa.tuple_(*lines.c)
    next_line = sa.select(*line).where(_WAITS, following).order_by(*line).limit(1).correlate(lines).lateral()
    lines = lines.union_all(sa.select(next_line).select_from(lines.join(next_line, sa.true())))
    same = sa.and_(*(column == lines.c[column.name] for column in line))
    oldest = (
        sa.select(*_WAITING_COLUMNS)
        .where(_WAITS, same)
        .order_by(*line, runs.c.created_at, runs.c.run_id)
        .limit(sa.bindparam("most"))
        .correlate(lines)
        .lateral()
    )
    return (
        sa.select(oldest, users.c.max_concurrent_runs.label("owner_limit"))
        .select_from(lines.join(oldest, sa.true()))
        .join(users, users.c.id == oldest.c.owner_id)
    )


_WAITING = _waiting()


# The statement's own time, which stands still, so that the index is read up to it and no further.
_IS_DUE = sa.and_(runs.c.wake_at <= sa.func.statement_timestamp(), runs.c.cancel_requested_at.is_(None))
_DUE = (
    sa.select(*_WAITING_COLUMNS, users.c.max_concurrent_runs.label("owner_limit"), sa.true().label("is_woken"))
    .join(users, users.c.id == runs.c.owner_id)
    .where(_IS_DUE)
    .order_by(runs.c.wake_at)
    .limit(sa.bindparam("most"))
)
_SECONDS_UNTIL_DUE = sa.select(
    sa.func.extract("epoch", sa.func.min(runs.c.wake_at) - sa.func.statement_timestamp())
).where(runs.c.wake_at > sa.func.statement_timestamp())


def list_due(connection: Connection, most: int) -> list[WaitingRun]:
    """Runs that have waited for a time that has come: the `most` that have been due for longest."""
    return [WaitingRun(**row._mapping) for row in connection.execute(_DUE, {"most": most})]


def seconds_until_due(connection: Connection) -> float | None:
    """Until the next run that waits goes on, those left out whose time has come; None if there is none."""
    seconds = connection.execute(_SECONDS_UNTIL_DUE).scalar()
    return None if seconds is None else float(seconds)


def waiting_by_graph(connection: Connection, graph_ids: Collection[str]) -> Counter[str]:
    """How many runs of each of the graphs wait for a time, without a worker."""
    wanted = runs.c.graph_id == sa.any_(sa.bindparam("graph_ids", type_=pg.ARRAY(pg.UUID(as_uuid=False))))
    query = sa.select(runs.c.graph_id, sa.func.count()).where(runs.c.wake_at.is_not(None), wanted)
    rows = connection.execute(query.group_by(runs.c.graph_id), {"graph_ids": list(graph_ids)})
    return Counter(dict(rows.tuples().all()))


def list_waiting(connection: Connection, most: int) -> list[WaitingRun]:
    """Runs that wait: of each graph version and priority the `most` oldest, since no more of them can be chosen."""
    return [WaitingRun(**row._mapping) for row in connection.execute(_WAITING, {"most": most})]


_CHOSEN = (
    sa.select(
        runs.c.run_id,
        runs.c.graph_id,
        graphs.c.name.label("graph"),
        runs.c.version,
        users.c.name.label("owner"),
        runs.c.tags,
        runs.c.priority,
        runs.c.trigger_kind,
        runs.c.trigger_id,
        runs.c.parent_run_id,
        runs.c.retry_from,
        sa.func.coalesce(timers.c.is_plain_cron, sa.false()).label("is_plain_cron"),
    )
    .join(graphs, graphs.c.id == runs.c.graph_id)
    .join(users, users.c.id == graphs.c.owner_id)
    .outerjoin(triggers, sa.and_(triggers.c.graph_id == runs.c.graph_id, triggers.c.trigger_id == runs.c.trigger_id))
    .outerjoin(timers, timers.c.trigger == triggers.c.id)
    .where(runs.c.run_id == sa.any_(sa.bindparam("run_ids", type_=pg.ARRAY(sa.Text))))
)


def read_chosen(connection: Connection, run_ids: Sequence[str]) -> list[ChosenRun]:
    """The runs among `run_ids`, in their order."""
    rows = connection.execute(_CHOSEN, {"run_ids": list(run_ids)})
    found = {row.run_id: ChosenRun(**row._mapping) for row in rows}
    return [found[run_id] for run_id in run_ids if run_id in found]


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
