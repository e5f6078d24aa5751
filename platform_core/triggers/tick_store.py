"""Ticks: what became of each time of a timer. One row per trigger and time, so no time is decided twice."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from platform_core.database.pagination import Page, decode_cursor, encode_cursor
from platform_core.database.tables import backfills, graphs, runs, ticks, timers, triggers, users
from platform_core.errors import BadCursor
from platform_core.triggers import timer_store

FIRED, SKIPPED, MISSED, REFUSED, WAITING = "fired", "skipped", "missed", "refused", "waiting"
STATUSES = (FIRED, SKIPPED, MISSED, REFUSED, WAITING)
TIMER, FIRE, BACKFILL = "timer", "fire", "backfill"


@dataclass(frozen=True)
class Tick:
    """One time and what became of it; a row of missed times reaches to `missed_until`."""

    scheduled_at: datetime
    source: str
    status: str
    reason: str | None
    issues: list[dict[str, Any]] | None
    run_id: str | None
    backfill: str | None
    missed_until: datetime | None
    missed_count: int | None
    decided_at: datetime


@dataclass(frozen=True)
class Waiting:
    """The first tick of a trigger, or of one of its backfills, that waits for a run to end."""

    trigger: str
    scheduled_at: datetime
    source: str
    backfill: str | None


@dataclass(frozen=True)
class UnshownTick:
    """A decided tick that Dagster's UI does not show yet, with the names it is shown under."""

    trigger: str
    trigger_id: str
    graph: str
    owner: str
    is_plain_cron: bool
    tick: Tick


_TICK = tuple(ticks.c[name] for name in Tick.__dataclass_fields__)


def record_tick(
    connection: Connection,
    trigger: str,
    scheduled_at: datetime,
    *,
    source: str,
    status: str,
    reason: str | None = None,
    issues: Sequence[dict[str, Any]] | None = None,
    run_id: str | None = None,
    missed_until: datetime | None = None,
    missed_count: int | None = None,
) -> None:
    """Write what became of a time; only a missed or waiting one may have been there before."""
    values = {
        "source": source,
        "status": status,
        "reason": reason,
        "issues": None if issues is None else list(issues),
        "run_id": run_id,
        "missed_until": missed_until,
        "missed_count": missed_count,
        "decided_at": sa.func.clock_timestamp(),
        "shown_at": None,
    }
    added = insert(ticks).values(trigger=trigger, scheduled_at=scheduled_at, **values)
    undecided = ticks.c.status.in_((MISSED, WAITING))
    connection.execute(
        added.on_conflict_do_update(index_elements=["trigger", "scheduled_at"], set_=values, where=undecided)
    )


def is_decided(connection: Connection, trigger: str, scheduled_at: datetime) -> bool:
    """Whether the time has been decided for good, or waits already."""
    mine = sa.and_(ticks.c.trigger == trigger, ticks.c.scheduled_at == scheduled_at, ticks.c.status != MISSED)
    return connection.execute(sa.select(sa.true()).where(mine)).first() is not None


def running_runs(connection: Connection, trigger: str) -> list[str]:
    """The runs of this timer that have not ended, without those of backfills."""
    query = _open_runs().where(triggers.c.id == trigger, ticks.c.backfill.is_(None))
    return list(connection.execute(query).scalars())


def _open_runs() -> sa.Select[Any]:
    return (
        sa.select(runs.c.run_id)
        .join(triggers, sa.and_(triggers.c.graph_id == runs.c.graph_id, triggers.c.trigger_id == runs.c.trigger_id))
        .join(ticks, sa.and_(ticks.c.trigger == triggers.c.id, ticks.c.run_id == runs.c.run_id))
        .where(runs.c.trigger_kind == timer_store.SCHEDULE, runs.c.ended_at.is_(None))
    )


def waiting_tick(connection: Connection, trigger: str) -> datetime | None:
    """The time of the timer's own tick that waits, if one does."""
    mine = sa.and_(ticks.c.trigger == trigger, ticks.c.status == WAITING, ticks.c.backfill.is_(None))
    return connection.execute(sa.select(sa.func.min(ticks.c.scheduled_at)).where(mine)).scalar()


def list_waiting(connection: Connection) -> list[Waiting]:
    """For each trigger and each backfill with waiting ticks, the first of them."""
    query = (
        sa.select(ticks.c.trigger, sa.func.min(ticks.c.scheduled_at), sa.func.min(ticks.c.source), ticks.c.backfill)
        .where(ticks.c.status == WAITING)
        .group_by(ticks.c.trigger, ticks.c.backfill)
    )
    return [Waiting(*row) for row in connection.execute(query)]


def startable(connection: Connection, waiting: Waiting) -> list[datetime]:
    """The times that may start now, of a backfill or of the trigger itself; its timer is locked."""
    if waiting.backfill is None:
        time = waiting_tick(connection, waiting.trigger)
        return [time] if time is not None and not running_runs(connection, waiting.trigger) else []
    mine = sa.and_(ticks.c.backfill == waiting.backfill, ticks.c.status == WAITING)
    places = _free_places(connection, waiting.backfill)
    query = sa.select(ticks.c.scheduled_at).where(mine).order_by(ticks.c.scheduled_at).limit(places)
    return list(connection.execute(query).scalars())


def give_up_waiting(connection: Connection, trigger: str, reason: str) -> None:
    """Skip all ticks of the trigger that wait, those of backfills too."""
    timer_store.give_up(connection, ticks.c.trigger == trigger, reason)


def _free_places(connection: Connection, backfill: str) -> int:
    limit = connection.execute(sa.select(backfills.c.max_parallel).where(backfills.c.id == backfill)).scalar_one()
    counted = sa.select(sa.func.count()).select_from(_open_runs().where(ticks.c.backfill == backfill).subquery())
    return max(0, int(limit) - int(connection.execute(counted).scalar_one()))


def start_backfill(
    connection: Connection,
    trigger: str,
    times: Sequence[datetime],
    *,
    period: tuple[datetime, datetime],
    max_parallel: int,
    created_by: str,
) -> tuple[str, list[datetime]]:
    """Have the times run that were not decided yet, or were missed or skipped; its id and those times.

    A time that fired, or waits already, is left alone: a second backfill of the same period starts nothing.
    """
    backfill = str(uuid.uuid4())
    connection.execute(
        backfills.insert().values(
            id=backfill,
            trigger=trigger,
            period_from=period[0],
            period_to=period[1],
            max_parallel=max_parallel,
            created_by=created_by,
        )
    )
    values = {"source": BACKFILL, "status": WAITING, "backfill": backfill, "run_id": None, "shown_at": None}
    values |= {"reason": None, "issues": None, "missed_until": None, "missed_count": None}
    added = insert(ticks).values([{"trigger": trigger, "scheduled_at": time, **values} for time in times])
    open_again = ticks.c.status.in_((MISSED, SKIPPED, REFUSED))
    statement = added.on_conflict_do_update(
        index_elements=["trigger", "scheduled_at"], set_=values, where=open_again
    ).returning(ticks.c.scheduled_at)
    started = sorted(connection.execute(statement).scalars()) if times else []
    timer_store.notify(connection, trigger)
    return backfill, started


def statuses_between(connection: Connection, trigger: str, times: Sequence[datetime]) -> dict[datetime, str]:
    """The statuses of those of the times that have one."""
    query = sa.select(ticks.c.scheduled_at, ticks.c.status).where(ticks.c.trigger == trigger)
    return {row[0]: row[1] for row in connection.execute(query.where(ticks.c.scheduled_at.in_(times)))}


def list_ticks(
    connection: Connection, trigger: str, *, status: str | None = None, limit: int = 50, cursor: str | None = None
) -> Page[Tick]:
    """Ticks of a trigger, the newest time first. Raises `BadCursor`."""
    query = sa.select(*_TICK).where(ticks.c.trigger == trigger).order_by(ticks.c.scheduled_at.desc()).limit(limit + 1)
    if status is not None:
        query = query.where(ticks.c.status == status)
    if cursor is not None:
        query = query.where(ticks.c.scheduled_at < _position(cursor))
    found = [Tick(**row._mapping) for row in connection.execute(query)]
    if len(found) <= limit:
        return Page(found, None)
    return Page(found[:limit], encode_cursor(found[limit - 1].scheduled_at.isoformat()))


def list_unshown(connection: Connection, limit: int) -> list[UnshownTick]:
    """Decided ticks that Dagster's UI does not show yet, the oldest decision first."""
    query = (
        sa.select(
            ticks.c.trigger,
            triggers.c.trigger_id,
            graphs.c.name,
            users.c.name,
            sa.func.coalesce(timers.c.is_plain_cron, sa.false()),
            *_TICK,
        )
        .join(triggers, triggers.c.id == ticks.c.trigger)
        .join(graphs, graphs.c.id == triggers.c.graph_id)
        .join(users, users.c.id == graphs.c.owner_id)
        .outerjoin(timers, timers.c.trigger == ticks.c.trigger)
        .where(ticks.c.shown_at.is_(None), ticks.c.status != WAITING)
        .order_by(ticks.c.decided_at)
        .limit(limit)
    )
    return [UnshownTick(row[0], row[1], row[2], row[3], row[4], Tick(*row[5:])) for row in connection.execute(query)]


def mark_shown(connection: Connection, trigger: str, scheduled_at: datetime, status: str) -> None:
    """Say that Dagster's UI shows the tick in this status."""
    mine = sa.and_(ticks.c.trigger == trigger, ticks.c.scheduled_at == scheduled_at, ticks.c.status == status)
    connection.execute(ticks.update().where(mine).values(shown_at=sa.func.clock_timestamp()))


def forget_ticks(connection: Connection, before: datetime) -> int:
    """Delete the ticks of times before `before` that are decided; how many."""
    old = ticks.delete().where(ticks.c.scheduled_at < before, ticks.c.status != WAITING)
    return connection.execute(old).rowcount


def _position(cursor: str) -> datetime:
    (moment,) = decode_cursor(cursor, str)
    try:
        return datetime.fromisoformat(moment)
    except ValueError:
        raise BadCursor("The cursor is not one of ours; take it from next_cursor of the page before.") from None
