"""Dagster's scheduler daemon, with our loop: what is due comes from one indexed query, not from walking all schedules.

Internals used: `SchedulerDaemon` and its `core_loop`, which looks at every schedule of every code location once a
minute and evaluates those that are due over gRPC, one after the other.
"""

from __future__ import annotations

import sys
import threading
from datetime import timedelta
from typing import Any

from dagster import DagsterInstance
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._daemon.daemon import DaemonIterator, SchedulerDaemon, SpanMarker
from dagster._utils.error import serializable_error_info_from_exc_info

from definitions.daemon.tick_display import TickDisplay
from definitions.daemon.timer_firing import Clock, TimerFiring, utc_now
from platform_core.database.engine import Engine, transaction
from platform_core.settings import Settings
from platform_core.triggers.tick_store import forget_ticks

LOOK_EVERY = 1.0
"""Seconds after which the clock is read again at the latest: it may have been set."""
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
        self._next_forgetting = clock()

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
            pause = LOOK_EVERY
            try:
                pause = self._look()
            except Exception:
                error = serializable_error_info_from_exc_info(sys.exc_info())
                self._logger.error("Timers could not be fired: %s", error)
                yield error
            yield SpanMarker.END_SPAN
            self._wake.wait(pause)
            yield None

    def _look(self) -> float:
        """Fire what is due and show it; how many seconds until the next look."""
        self._firing.fire_due()
        self._display.show()
        now = self._clock()
        if now >= self._next_forgetting:
            self._next_forgetting = now + _FORGET_EVERY
            with transaction(self._engine) as connection:
                forget_ticks(connection, now - self._retention)
        following = self._firing.next_look()
        if following is None:
            return LOOK_EVERY
        return min(LOOK_EVERY, max(0.0, (following - self._clock()).total_seconds()))
