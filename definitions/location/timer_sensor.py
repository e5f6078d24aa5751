"""The sensor of all timers that cron cannot say: seconds, intervals, single times, rules, bounds, jitter.

Their ticks are shown on it, and switching it off stops them. Its evaluations fire what should have been fired
already, should the daemon's own scheduler hang.
"""

from __future__ import annotations

from dagster import DefaultSensorStatus, SensorDefinition, SensorEvaluationContext, SkipReason, sensor

from definitions.daemon.timer_firing import TimerFiring
from definitions.execution.context import process_context
from graph_compiler.triggers.triggers import iso
from platform_core.triggers.timer_store import SENSOR

INTERVAL = 30
"""Seconds between two evaluations."""


def timer_sensor() -> SensorDefinition:
    """The sensor."""

    @sensor(
        name=SENSOR,
        minimum_interval_seconds=INTERVAL,
        default_status=DefaultSensorStatus.RUNNING,
        description="All timers that are no plain cron schedules. Switching it off stops them.",
    )
    def timers(_context: SensorEvaluationContext) -> SkipReason:
        firing = TimerFiring(process_context().engine)
        count = firing.fire_due()
        following = firing.next_look()
        return SkipReason(
            f"{count} overdue timers were fired; the next time is {'none' if following is None else iso(following)}."
        )

    return timers
