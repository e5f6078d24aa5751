"""Fires timers: what is due is decided, recorded and accepted as runs in one transaction per timer.

A process that dies anywhere has either done all of that or nothing, and two that fire at once share the work, because
a timer's row is locked while it is decided.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from graph_compiler.language.schedule_trigger import ScheduleTrigger
from graph_compiler.language.spec import GraphSpec
from graph_compiler.triggers.timer_policy import GRACE, Missed, Verdict, decide, overlap_verdict
from graph_compiler.triggers.triggers import iso, schedule_data, tick_params
from platform_core.database.engine import Connection, DatabaseError, Engine, reading, transaction
from platform_core.errors import Unavailable
from platform_core.runs.execution_store import read_version
from platform_core.runs.run_store import NewRun, accept_run, cancel_open
from platform_core.triggers import tick_store, timer_store
from platform_core.triggers.tick_store import Waiting
from platform_core.triggers.timer_store import SENSOR, Timer

Clock = Callable[[], datetime]
PAUSE = timedelta(minutes=1)
"""How long a timer rests that could not be decided for a reason nobody foresaw."""
_GIVEN_UP = "the trigger or its graph was removed"
_logger = logging.getLogger("headrace.timers")


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class TimerFiring:
    """Decides timers by a clock; any number of these may work on one database."""

    def __init__(self, engine: Engine, clock: Clock = utc_now) -> None:
        self._engine = engine
        self._clock = clock
        self._last = clock()
        self.has_waiting = False
        """Whether, at the last look, a tick waited for a run to end."""

    def fire_due(self) -> int:
        """Decide every timer that is due, and start what waited and may run now; how many timers were decided."""
        self._notice_clock()
        count = 0
        plain_only = not self._sensor_is_on()
        while self._fire_next(plain_only):
            count += 1
        with reading(self._engine) as connection:
            waiting = tick_store.list_waiting(connection)
        self.has_waiting = bool(waiting)
        for tick in waiting:
            self._start_waiting(tick)
        return count

    def next_look(self) -> datetime | None:
        """When something will be due; None if nothing ever will."""
        with reading(self._engine) as connection:
            is_on = timer_store.is_switched_on(connection, SENSOR)
            return timer_store.next_look(connection, plain_only=not is_on)

    def look_again(self) -> int:
        """Have the timers looked at that are decided beyond the present, as after a clock that was wrong."""
        with transaction(self._engine) as connection:
            return timer_store.look_again(connection, self._clock() + GRACE)

    def _notice_clock(self) -> None:
        now = self._clock()
        if now < self._last - GRACE:
            _logger.warning(
                "The clock was set back by %s; %d timers go on from now.", self._last - now, self.look_again()
            )
        self._last = now

    def _sensor_is_on(self) -> bool:
        with reading(self._engine) as connection:
            return timer_store.is_switched_on(connection, SENSOR)

    def _fire_next(self, plain_only: bool) -> bool:
        timer: Timer | None = None
        try:
            with transaction(self._engine) as connection:
                timer = timer_store.claim_due(connection, self._clock(), plain_only=plain_only)
                if timer is not None:
                    self._decide(connection, timer)
        except (*DatabaseError, Unavailable):
            raise
        except Exception:
            if timer is None:
                raise
            _logger.exception("Timer %s of %s cannot be decided; again in a minute.", timer.trigger_id, timer.graph)
            with transaction(self._engine) as connection:
                timer_store.set_progress(connection, timer.trigger, timer.decided_until, self._clock() + PAUSE)
        return timer is not None

    def _decide(self, connection: Connection, timer: Timer) -> None:
        if not (timer.is_live and timer.is_enabled):
            timer_store.set_progress(connection, timer.trigger, timer.decided_until, None)
            return
        trigger = _trigger(timer)
        decision = decide(trigger, timer.trigger, timer.decided_until, self._clock())
        if decision.missed is not None:
            _record_missed(connection, timer, decision.missed)
        for time in decision.fire:
            if not tick_store.is_decided(connection, timer.trigger, time):
                self._tick(connection, timer, trigger, time)
        timer_store.set_progress(connection, timer.trigger, decision.decided_until, decision.look_at)

    def _tick(self, connection: Connection, timer: Timer, trigger: ScheduleTrigger, time: datetime) -> None:
        if trigger.overlap == "allow":
            start_tick(connection, timer, trigger, time, tick_store.TIMER)
            return
        running = tick_store.running_runs(connection, timer.trigger)
        waiting = tick_store.waiting_tick(connection, timer.trigger)
        verdict = overlap_verdict(trigger.overlap, is_running=bool(running), is_waiting=waiting is not None)
        if verdict is Verdict.RUN:
            start_tick(connection, timer, trigger, time, tick_store.TIMER)
        elif verdict is Verdict.SKIP:
            reason = (
                f"run {running[0]} has not ended" if waiting is None else f"the tick of {iso(waiting)} waits already"
            )
            _record(connection, timer, time, tick_store.SKIPPED, reason)
        else:
            if waiting is not None:
                _record(connection, timer, waiting, tick_store.SKIPPED, f"the tick of {iso(time)} took its place")
            if trigger.overlap == "cancel_running":
                cancel_open(connection, running)
            _record(connection, timer, time, tick_store.WAITING, f"run {running[0]} has not ended" if running else None)

    def _start_waiting(self, waiting: Waiting) -> None:
        """Start the tick, and in a backfill the next ones too, if nothing is in their way any more."""
        with transaction(self._engine) as connection:
            timer = timer_store.claim_row(connection, waiting.trigger)
            if timer is None:
                return
            if not timer.is_live:
                tick_store.give_up_waiting(connection, timer.trigger, _GIVEN_UP)
                return
            for time in tick_store.startable(connection, waiting):
                start_tick(connection, timer, _trigger(timer), time, waiting.source)


def start_tick(
    connection: Connection,
    timer: Timer,
    trigger: ScheduleTrigger,
    time: datetime,
    source: str,
) -> None:
    """Accept the run of a time and record the tick; without a run if the params do not fit the graph."""
    spec = _parsed(read_version(connection, timer.graph_id, timer.version).document)
    params, issues = tick_params(spec, trigger, time, source)
    if issues:
        found = [issue.as_dict() for issue in issues]
        reason = f"the params do not fit the graph: {issues[0].message}"
        tick_store.record_tick(
            connection, timer.trigger, time, source=source, status=tick_store.REFUSED, reason=reason, issues=found
        )
        return
    new = NewRun(
        graph_id=timer.graph_id,
        version=timer.version,
        owner_id=timer.owner_id,
        params=params,
        trigger_kind=timer_store.SCHEDULE,
        trigger_id=timer.trigger_id,
        trigger_data=schedule_data(time, source),
        priority=spec.settings.priority,
        # Callers' own keys never begin with a colon.
        idempotency_key=f":schedule:{timer.trigger_id}:{iso(time)}",
    )
    run, _ = accept_run(connection, new)
    tick_store.record_tick(connection, timer.trigger, time, source=source, status=tick_store.FIRED, run_id=run.run_id)


def _record(connection: Connection, timer: Timer, time: datetime, status: str, reason: str | None) -> None:
    tick_store.record_tick(connection, timer.trigger, time, source=tick_store.TIMER, status=status, reason=reason)


def _record_missed(connection: Connection, timer: Timer, missed: Missed) -> None:
    tick_store.record_tick(
        connection,
        timer.trigger,
        missed.first,
        source=tick_store.TIMER,
        status=tick_store.MISSED,
        reason="nothing could fire it in time",
        missed_until=missed.last,
        missed_count=missed.count,
    )


@lru_cache(maxsize=1_000)
def _parsed(document: str) -> GraphSpec:
    return GraphSpec.model_validate_json(document)


def _trigger(timer: Timer) -> ScheduleTrigger:
    return ScheduleTrigger.model_validate(timer.config)
