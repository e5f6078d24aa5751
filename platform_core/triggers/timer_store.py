"""Timers: up to which moment each has been decided, and when it is to be looked at next.

A row is locked while its times are decided, so any number of daemons decide each time once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from platform_core import channels
from platform_core.database.tables import graphs, switches, ticks, timers, triggers, users

SCHEDULE = "schedule"
SENSOR = "timers"
"""Name of the switch, and of Dagster's sensor, of all timers that are no plain cron schedules."""
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""A `look_at` that has always come."""


@dataclass(frozen=True)
class NewTimer:
    """The times of a schedule trigger as a document declares them."""

    trigger_id: str
    timing: Mapping[str, Any]
    is_plain_cron: bool


@dataclass(frozen=True)
class Timer:
    """A schedule trigger with its graph; `trigger` is the id of its row, `trigger_id` its name in the document."""

    trigger: str
    trigger_id: str
    graph_id: str
    graph: str
    owner_id: str
    owner: str
    version: int
    config: dict[str, Any]
    is_live: bool
    """Neither the trigger nor its graph was removed."""
    is_enabled: bool
    is_plain_cron: bool
    decided_until: datetime


_LIVE = sa.and_(triggers.c.removed_at.is_(None), graphs.c.deleted_at.is_(None))
_TIMER = (
    sa.select(
        timers.c.trigger,
        triggers.c.trigger_id,
        triggers.c.graph_id,
        graphs.c.name.label("graph"),
        graphs.c.owner_id,
        users.c.name.label("owner"),
        graphs.c.current_version.label("version"),
        triggers.c.config,
        _LIVE.label("is_live"),
        triggers.c.enabled.label("is_enabled"),
        timers.c.is_plain_cron,
        timers.c.decided_until,
    )
    .join(triggers, triggers.c.id == timers.c.trigger)
    .join(graphs, graphs.c.id == triggers.c.graph_id)
    .join(users, users.c.id == graphs.c.owner_id)
)


def sync_timers(connection: Connection, graph_id: str, declared: Sequence[NewTimer]) -> None:
    """Make the graph's timers those declared, after its triggers were stored.

    A timer whose times changed, or that comes back, begins now: editing never fires the past. One that stays as it is
    keeps its place, so that editing something else does not forget what is still to be caught up.
    """
    ids = select_ids(connection, graph_id)
    now = sa.func.clock_timestamp()
    kept = [ids[new.trigger_id][0] for new in declared]
    gone = sorted({row for row, _ in ids.values()} - set(kept))
    connection.execute(timers.delete().where(timers.c.trigger.in_(gone)))
    give_up(connection, ticks.c.trigger.in_(gone), "the trigger was removed")
    for new in declared:
        row, is_enabled = ids[new.trigger_id]
        added = insert(timers).values(
            trigger=row,
            timing=dict(new.timing),
            is_plain_cron=new.is_plain_cron,
            decided_until=now,
            look_at=AT_ONCE if is_enabled else None,
        )
        changed = timers.c.timing != added.excluded.timing
        connection.execute(
            added.on_conflict_do_update(
                index_elements=["trigger"],
                set_={
                    "timing": added.excluded.timing,
                    "is_plain_cron": added.excluded.is_plain_cron,
                    "decided_until": sa.case((changed, now), else_=timers.c.decided_until),
                    "look_at": added.excluded.look_at,
                },
            )
        )
    if declared:
        notify(connection, graph_id)


def select_ids(connection: Connection, graph_id: str) -> dict[str, tuple[str, bool]]:
    """Row id of every trigger that the graph ever had, and whether it is enabled, by its name."""
    query = sa.select(triggers.c.trigger_id, triggers.c.id, triggers.c.enabled).where(triggers.c.graph_id == graph_id)
    return {row.trigger_id: (row.id, row.enabled) for row in connection.execute(query)}


def claim_due(connection: Connection, now: datetime, *, plain_only: bool = False) -> Timer | None:
    """A timer to be looked at, locked until the transaction ends; those that another process holds are passed over."""
    query = _TIMER.where(timers.c.look_at <= now).order_by(timers.c.look_at).limit(1)
    if plain_only:
        query = query.where(timers.c.is_plain_cron)
    return _first(connection, query.with_for_update(of=timers, skip_locked=True))


def claim_timer(connection: Connection, graph_id: str, trigger_id: str) -> Timer | None:
    """The live timer of this name, locked until the transaction ends."""
    named = sa.and_(triggers.c.graph_id == graph_id, triggers.c.trigger_id == trigger_id, _LIVE)
    return _first(connection, _TIMER.where(named).with_for_update(of=timers))


def claim_row(connection: Connection, trigger: str) -> Timer | None:
    """The timer of this row, locked until the transaction ends; None if another process holds it."""
    return _first(connection, _TIMER.where(timers.c.trigger == trigger).with_for_update(of=timers, skip_locked=True))


def list_plain_timers(connection: Connection) -> list[Timer]:
    """Every live timer that is a plain cron schedule, disabled ones too."""
    return [Timer(**row._mapping) for row in connection.execute(_TIMER.where(timers.c.is_plain_cron, _LIVE))]


def is_plain_cron(connection: Connection, graph_id: str, trigger_id: str) -> bool:
    """Whether the timer is a plain cron schedule, as far as it is still there."""
    named = sa.and_(triggers.c.graph_id == graph_id, triggers.c.trigger_id == trigger_id)
    query = sa.select(timers.c.is_plain_cron).join(triggers, triggers.c.id == timers.c.trigger).where(named)
    return bool(connection.execute(query).scalar())


def next_look(connection: Connection, *, plain_only: bool = False) -> datetime | None:
    """When the next timer is to be looked at; None if there is none."""
    query = sa.select(sa.func.min(timers.c.look_at)).where(timers.c.look_at.is_not(None))
    if plain_only:
        query = query.where(timers.c.is_plain_cron)
    return connection.execute(query).scalar()


def set_progress(connection: Connection, trigger: str, decided_until: datetime, look_at: datetime | None) -> None:
    """Say up to where the timer is decided and when to look again; never, if `look_at` is None."""
    mine = timers.update().where(timers.c.trigger == trigger)
    connection.execute(mine.values(decided_until=decided_until, look_at=look_at))


def look_again(connection: Connection, after: datetime) -> int:
    """Have all enabled timers looked at that were decided beyond `after`, because the clock was set back; how many."""
    beyond = timers.update().where(timers.c.decided_until > after, timers.c.look_at.is_not(None))
    return connection.execute(beyond.values(look_at=AT_ONCE)).rowcount


def switch_trigger(connection: Connection, trigger: str, is_on: bool) -> bool:
    """Enable or disable a trigger; whether that changed it.

    A timer that is switched on begins now: what it would have fired meanwhile stays in the past. One that is switched
    off gives up a tick that waits for a run to end.
    """
    changing = triggers.update().where(triggers.c.id == trigger, triggers.c.enabled != is_on)
    values = {"enabled": is_on, "updated_at": sa.func.clock_timestamp()}
    if connection.execute(changing.values(values)).rowcount == 0:
        return False
    mine = timers.update().where(timers.c.trigger == trigger)
    if is_on:
        connection.execute(mine.values(decided_until=sa.func.clock_timestamp(), look_at=AT_ONCE))
    else:
        connection.execute(mine.values(look_at=None))
        give_up(connection, sa.and_(ticks.c.trigger == trigger, ticks.c.backfill.is_(None)), "the trigger was disabled")
    notify(connection, trigger)
    return True


def give_up(connection: Connection, which: sa.ColumnElement[bool], reason: str) -> None:
    """Skip ticks that wait."""
    given_up = {"status": "skipped", "reason": reason, "decided_at": sa.func.clock_timestamp()}
    connection.execute(ticks.update().where(which, ticks.c.status == "waiting").values(given_up))


def set_switch(connection: Connection, name: str, is_on: bool) -> None:
    """Remember what Dagster's UI switched that is not a trigger of ours."""
    added = insert(switches).values(name=name, is_on=is_on)
    connection.execute(added.on_conflict_do_update(index_elements=["name"], set_={"is_on": is_on}))
    notify(connection, name)


def is_switched_on(connection: Connection, name: str) -> bool:
    """Whether the switch is on, which it is until somebody turns it off."""
    is_on = connection.execute(sa.select(switches.c.is_on).where(switches.c.name == name)).scalar()
    return is_on is not False


def is_held(connection: Connection, trigger: str) -> bool:
    """Whether it is a timer that does not fire because the sensor that stands for it is switched off."""
    is_stood_for = sa.and_(timers.c.trigger == trigger, sa.not_(timers.c.is_plain_cron))
    off = sa.exists().where(switches.c.name == SENSOR, sa.not_(switches.c.is_on))
    return connection.execute(sa.select(timers.c.trigger).where(is_stood_for, off)).first() is not None


def notify(connection: Connection, payload: str) -> None:
    """Wake whoever fires timers, once the transaction is committed."""
    connection.execute(sa.select(sa.func.pg_notify(channels.TIMERS, payload)))


def _first(connection: Connection, query: sa.Select[Any]) -> Timer | None:
    row = connection.execute(query).first()
    return None if row is None else Timer(**row._mapping)
