"""Dagster's scheduler daemon, with our loop: what is due comes from one indexed query, not from walking all schedules.

Internals used: `SchedulerDaemon` and its `core_loop`, which looks at every schedule of every code location once a
minute and evaluates those that are due over gRPC, one after the other.
"""

from __future__ import annotations

import sys
import threading
from datetime import datetime, timedelta
from typing import Any

from dagster import DagsterInstance
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._daemon.daemon import DaemonIterator, SchedulerDaemon, SpanMarker
from dagster._utils.error import serializable_error_info_from_exc_info

from definitions.daemon.tick_display import TickDisplay
from definitions.daemon.timer_firing import Clock, TimerFiring, utc_now
from graph_compiler.triggers.timer_policy import GRACE
from platform_core.database.engine import Engine, transaction
from platform_core.settings import Settings
from platform_core.triggers.tick_store import forget_ticks

READ_CLOCK_EVERY = 1.0
"""Seconds after which the clock is read again at the latest: it may have been set."""
LOOK_EVERY = timedelta(seconds=30)
"""Time after which the database is asked though nothing is due: the timers' sensor may have decided something."""
_FORGET_EVERY = timedelta(hours=1)


class TimerScheduler(SchedulerDaemon):
    """Fires timers when their time comes; `wake()` makes it look at once."""

    def __init__(self, settings: Settings, engine: Engine, instance: DagsterInstance, clock: Clock = utc_now) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster does not annotate it
        self._engine = engine
        self._clock = clock
        self._firing = TimerFiring(engine, clock)
        self._display = TickDisplay(settings, engine, instance)
        self._retention = timedelta(days=settings.tick_retention)
        self._wake = threading.Event()
        self._next_forgetting = self._next_look = self._last_look = clock()

    def wake(self) -> None:
        self._wake.set()

    def run_ended(self) -> None:
        """Wake if a tick waits for a run to end."""
        if self._firing.has_waiting:
            self._wake.set()

    def core_loop(
        self, workspace_process_context: IWorkspaceProcessContext[Any], shutdown_event: threading.Event
    ) -> DaemonIterator:
        self._firing.look_again()
        while not shutdown_event.is_set():
            self._wake.clear()
            yield SpanMarker.START_SPAN
            self._last_look = self._clock()
            self._next_look = self._last_look + timedelta(seconds=READ_CLOCK_EVERY)
            try:
                self._next_look = self._look()
            except Exception:
                error = serializable_error_info_from_exc_info(sys.exc_info())
                self._logger.error("Timers could not be fired: %s", error)
                yield error
            yield SpanMarker.END_SPAN
            while not shutdown_event.is_set() and (pause := self._pause()) > 0 and not self._wake.wait(pause):
                yield None
            yield None

    def _pause(self) -> float:
        """Seconds until the clock is read again; 0 when it is time for a look. Asks the database nothing."""
        now = self._clock()
        if now < self._last_look - GRACE:
            return 0.0  # it was set back
        return min(READ_CLOCK_EVERY, max(0.0, (self._next_look - now).total_seconds()))

    def _look(self) -> datetime:
        """Fire what is due and show it; when to look again."""
        self._firing.fire_due()
        self._display.show()
        now = self._clock()
        if now >= self._next_forgetting:
            self._next_forgetting = now + _FORGET_EVERY
            with transaction(self._engine) as connection:
                forget_ticks(connection, now - self._retention)
        following = self._firing.next_look()
        latest = now + LOOK_EVERY
        return latest if following is None else min(following, latest)
