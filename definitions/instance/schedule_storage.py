"""Dagster's schedule storage, in which our schedules are as switched on as their triggers are: one truth, two views.

The state of a schedule of ours is read from and written to `headrace.triggers`; Dagster's own rows are kept for
sensors alone. Internals used: `PostgresScheduleStorage` with its `_engine`, the state objects that it keeps, and
`has_instigators_table`, which reflects the schema on every call and never changes once the database is migrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from dagster._core.remote_origin import RemoteInstigatorOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster_postgres import PostgresScheduleStorage

from definitions.execution.context import process_context
from definitions.location.schedules import schedule_name
from definitions.shared.pinning import instigator_origin
from platform_core.database.engine import Engine, reading, transaction
from platform_core.triggers import timer_store
from platform_core.triggers.timer_store import SENSOR, Timer


class TimerScheduleStorage(PostgresScheduleStorage):
    """Schedules and sensors in the pool's engine; the switches of our schedules in our own table."""

    def __init__(self, url: str, engine: Engine) -> None:
        super().__init__(url, should_autocreate_tables=False)
        self._engine.dispose()
        self._engine = engine

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """The engine is pooled already."""

    def has_instigators_table(self) -> bool:
        return True

    def all_instigator_state(
        self,
        repository_origin_id: str | None = None,
        repository_selector_id: str | None = None,
        instigator_type: InstigatorType | None = None,
        instigator_statuses: set[InstigatorStatus] | None = None,
    ) -> Sequence[InstigatorState]:
        theirs = super().all_instigator_state(
            repository_origin_id, repository_selector_id, instigator_type, instigator_statuses
        )
        if instigator_type not in (None, InstigatorType.SCHEDULE):
            return theirs
        with reading(process_context().engine) as connection:
            ours = [_state(timer) for timer in timer_store.list_plain_timers(connection)]
        wanted = [
            state
            for state in ours
            if (instigator_statuses is None or state.status in instigator_statuses)
            and (repository_selector_id is None or state.repository_selector_id == repository_selector_id)
        ]
        return [*theirs, *wanted]

    def get_instigator_state(self, origin_id: str, selector_id: str) -> InstigatorState | None:
        stored = super().get_instigator_state(origin_id, selector_id)
        if stored is not None:
            return stored
        timer = _find(selector_id)
        return None if timer is None else _state(timer)

    def add_instigator_state(self, state: InstigatorState) -> InstigatorState:
        if self._is_ours(state):
            return state
        return super().add_instigator_state(state)

    def update_instigator_state(self, state: InstigatorState) -> InstigatorState:
        if self._is_ours(state):
            return state
        return super().update_instigator_state(state)

    def _is_ours(self, state: InstigatorState) -> bool:
        """Whether the state is a schedule's of ours; then, and for the timer sensor, its switch is turned."""
        if state.instigator_type == InstigatorType.SENSOR:
            if state.selector_id == _origin(SENSOR).get_selector().get_id():
                _switch_sensor(is_on=state.status != InstigatorStatus.STOPPED)
            return False
        timer = _find(state.selector_id)
        if timer is None:
            return False
        is_on = state.status == InstigatorStatus.RUNNING
        if state.status == InstigatorStatus.DECLARED_IN_CODE:
            is_on = timer.config["enabled"]
        with transaction(process_context().engine) as connection:
            timer_store.switch_trigger(connection, timer.trigger, is_on)
        return True


def _switch_sensor(*, is_on: bool) -> None:
    with transaction(process_context().engine) as connection:
        if timer_store.is_switched_on(connection, SENSOR) != is_on:
            timer_store.set_switch(connection, SENSOR, is_on)


def _find(selector_id: str) -> Timer | None:
    """Our timer that Dagster knows by this selector. The selector is a hash of the name, so all names are tried."""
    with reading(process_context().engine) as connection:
        found = timer_store.list_plain_timers(connection)
    names = ((schedule_name(timer.owner, timer.graph, timer.trigger_id), timer) for timer in found)
    return next((timer for name, timer in names if _selector_id(name) == selector_id), None)


def _state(timer: Timer) -> InstigatorState:
    return InstigatorState(
        _origin(schedule_name(timer.owner, timer.graph, timer.trigger_id)),
        InstigatorType.SCHEDULE,
        InstigatorStatus.RUNNING if timer.is_enabled else InstigatorStatus.STOPPED,
        ScheduleInstigatorData(timer.config["cron"], timer.decided_until.timestamp()),
    )


@lru_cache(maxsize=50_000)
def _selector_id(name: str) -> str:
    return _origin(name).get_selector().get_id()


def _origin(name: str) -> RemoteInstigatorOrigin:
    return instigator_origin(name, process_context().settings)
