"""Shows our ticks in Dagster's UI: under their schedule, or under the timer sensor.

Ours are the truth and are committed first. A process that dies in between shows them when it is back; the first look
after a start asks whether Dagster has a tick already, so that none is shown twice.
"""

from __future__ import annotations

from dagster import DagsterInstance
from dagster._core.remote_origin import RemoteInstigatorOrigin
from dagster._core.scheduler.instigation import InstigatorType, TickData, TickStatus
from dagster_shared.error import SerializableErrorInfo

from definitions.location.schedules import schedule_name
from definitions.shared.pinning import instigator_origin
from platform_core.database.engine import Engine, reading, transaction
from platform_core.settings import Settings
from platform_core.triggers import tick_store
from platform_core.triggers.tick_store import Tick, UnshownTick
from platform_core.triggers.timer_store import SENSOR

BATCH = 200
_STATUSES = {
    tick_store.FIRED: TickStatus.SUCCESS,
    tick_store.SKIPPED: TickStatus.SKIPPED,
    tick_store.MISSED: TickStatus.SKIPPED,
    tick_store.REFUSED: TickStatus.FAILURE,
}


class TickDisplay:
    """Writes Dagster's tick for each decided tick of ours."""

    def __init__(self, settings: Settings, engine: Engine, instance: DagsterInstance) -> None:
        self._settings = settings
        self._engine = engine
        self._instance = instance
        self._is_first_look = True

    def show(self) -> int:
        """Show all ticks that are not shown yet; how many."""
        count = 0
        while True:
            with reading(self._engine) as connection:
                unshown = tick_store.list_unshown(connection, BATCH)
            for tick in unshown:
                self._show(tick)
            count += len(unshown)
            if len(unshown) < BATCH:
                self._is_first_look = False
                return count

    def _show(self, unshown: UnshownTick) -> None:
        data = self._data(unshown)
        if not (self._is_first_look and self._has(data)):
            self._instance.create_tick(data)
        with transaction(self._engine) as connection:
            tick = unshown.tick
            tick_store.mark_shown(connection, unshown.trigger, tick.scheduled_at, tick.status)

    def _has(self, data: TickData) -> bool:
        assert data.selector_id is not None
        found = self._instance.get_ticks(
            data.instigator_origin_id, data.selector_id, before=data.timestamp + 0.001, after=data.timestamp - 0.001
        )
        return any(tick.status == data.status and list(tick.run_ids) == list(data.run_ids) for tick in found)

    def _data(self, unshown: UnshownTick) -> TickData:
        tick = unshown.tick
        origin = self._origin(unshown)
        status = _STATUSES[tick.status]
        if not unshown.is_plain_cron and status == TickStatus.FAILURE:
            status = TickStatus.SKIPPED  # Dagster would take the sensor itself for broken
        reason = None if tick.status == tick_store.FIRED else _reason(unshown)
        decided = tick.decided_at.timestamp()
        return TickData(
            instigator_origin_id=origin.get_id(),
            instigator_name=origin.instigator_name,
            instigator_type=InstigatorType.SCHEDULE if unshown.is_plain_cron else InstigatorType.SENSOR,
            status=status,
            timestamp=tick.scheduled_at.timestamp() if unshown.is_plain_cron else decided,
            run_ids=[] if tick.run_id is None else [tick.run_id],
            skip_reason=reason if status == TickStatus.SKIPPED else None,
            error=SerializableErrorInfo(reason or "", [], None) if status == TickStatus.FAILURE else None,
            selector_id=origin.get_selector().get_id(),
            end_timestamp=decided,
        )

    def _origin(self, unshown: UnshownTick) -> RemoteInstigatorOrigin:
        if not unshown.is_plain_cron:
            return instigator_origin(SENSOR, self._settings)
        return instigator_origin(schedule_name(unshown.owner, unshown.graph, unshown.trigger_id), self._settings)


def _reason(unshown: UnshownTick) -> str:
    tick: Tick = unshown.tick
    what = f"{tick.status}: {tick.reason}" if tick.reason else tick.status
    if tick.status == tick_store.MISSED and tick.missed_until is not None:
        many = "many" if tick.missed_count is None else str(tick.missed_count)
        what += f" ({many} times from {tick.scheduled_at.isoformat()} to {tick.missed_until.isoformat()})"
    return what if unshown.is_plain_cron else f"{unshown.owner}/{unshown.graph}, trigger {unshown.trigger_id}: {what}"
