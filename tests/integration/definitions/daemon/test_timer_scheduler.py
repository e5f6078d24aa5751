"""Timers with the real daemon: they fire in time, are shown and switched in Dagster, and survive its death."""

from __future__ import annotations

import os
import runpy
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from dagster import DagsterInstance
from dagster._core.remote_origin import RemoteInstigatorOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType, TickStatus
from dagster._daemon.daemon import SpanMarker
from sqlalchemy import event, text

from definitions.daemon import timer_scheduler
from definitions.shared.names import schedule_name
from definitions.shared.pinning import instigator_origin
from platform_core.triggers.timer_store import SENSOR, switch_trigger
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.daemon.timers import TestClock, Timed
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site
from tests.waiting import wait_until

Start = Callable[[str], Service]
NewTimed = Callable[..., Timed]
LONG = 90.0


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_IDLE_WORKERS="1", HEADRACE_MAX_CONCURRENT_RUNS="4")


@pytest.fixture(scope="module", autouse=True)
def _services(site: Site) -> Iterator[None]:
    with Service("location.code_location"), Service("workers.worker_pool") as pool:
        pool.wait_for_workers()
        yield


@pytest.fixture
def timed(site: Site) -> Iterator[NewTimed]:
    """Makes a timer by the machine's clock, which ends with the test."""
    yield lambda **trigger: Timed(site, TestClock(datetime.now(UTC)), **trigger)
    with site.engine.begin() as connection:
        connection.execute(text("UPDATE headrace.triggers SET enabled = false"))
        connection.execute(text("UPDATE headrace.timers SET look_at = NULL"))


def origin_of(timer: Timed) -> RemoteInstigatorOrigin:
    return instigator_origin(schedule_name("ada", timer.name, "tick"), timer.site.settings)


def dagster_ticks(instance: DagsterInstance, origin: RemoteInstigatorOrigin) -> list[tuple[float, TickStatus, str]]:
    ticks = instance.get_ticks(origin.get_id(), origin.get_selector().get_id())
    return sorted((tick.timestamp, tick.status, ",".join(tick.run_ids)) for tick in ticks)


def state_of(site: Site, origin: RemoteInstigatorOrigin) -> InstigatorState:
    state = site.instance.get_instigator_state(origin.get_id(), origin.get_selector().get_id())
    assert state is not None
    return state


def test_timers_run_once_each_through_the_death_of_daemons(site: Site, timed: NewTimed, start: Start) -> None:
    """One daemon leads and one waits; the leader is killed, is replaced, and no second is lost or doubled."""
    timer = timed(every="1s", catch_up="all")
    first = start("daemon.daemon")
    wait_until(lambda: len(timer.fired()) >= 3, "three ticks", LONG)
    second = start("daemon.daemon")
    wait_until(lambda: "Another daemon leads" in second.log(), "the second waits", LONG)
    os.kill(first.pid, 9)
    count = len(timer.fired())
    wait_until(lambda: len(timer.fired()) >= count + 5, "the second fires", LONG)
    with site.engine.begin() as connection:
        switch_trigger(connection, timer.trigger, False)
    times = [tick.scheduled_at for tick in timer.ticks() if tick.status == "fired"]
    assert times == [times[0] + timedelta(seconds=n) for n in range(len(times))]
    assert timer.run_count() == len(times)
    for tick in timer.ticks():
        site.wait_for_status(tick.run_id or "", "SUCCESS", deadline=LONG)
    assert second.stop() == 0


def test_plain_cron_is_shown_and_switched_in_dagster(site: Site, timed: NewTimed, start: Start) -> None:
    timer = timed(cron="* * * * *", catch_up="all")
    origin = origin_of(timer)
    assert state_of(site, origin).status == InstigatorStatus.RUNNING
    now = datetime.now(UTC)
    timer.begin(now - timedelta(minutes=2))
    start("daemon.daemon")
    wait_until(lambda: len(timer.fired()) >= 2, "two ticks that were missed", LONG)
    wait_until(lambda: len(dagster_ticks(site.instance, origin)) >= 2, "Dagster shows them", LONG)
    shown = dagster_ticks(site.instance, origin)[:2]
    assert shown == [(tick.scheduled_at.timestamp(), TickStatus.SUCCESS, tick.run_id) for tick in timer.ticks()[:2]]
    run_id = shown[0][2]
    site.wait_for_status(run_id, "SUCCESS", deadline=LONG)
    run = site.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.tags["dagster/schedule_name"] == origin.instigator_name
    assert (run.tags["headrace/trigger"], run.tags["headrace/trigger_kind"]) == ("tick", "schedule")


def test_switch_in_dagster_is_ours_and_ours_is_dagsters(site: Site, timed: NewTimed) -> None:
    timer = timed(cron="0 3 * * *")
    origin = origin_of(timer)
    enabled = "SELECT enabled FROM headrace.triggers WHERE id = :trigger"
    running = state_of(site, origin)
    site.instance.update_instigator_state(running.with_status(InstigatorStatus.STOPPED))
    assert site.fetch(enabled, trigger=timer.trigger) == [(False,)]
    assert state_of(site, origin).status == InstigatorStatus.STOPPED
    with site.engine.begin() as connection:
        switch_trigger(connection, timer.trigger, True)
    assert state_of(site, origin).status == InstigatorStatus.RUNNING
    listed = site.instance.all_instigator_state(
        repository_selector_id=running.repository_selector_id, instigator_type=InstigatorType.SCHEDULE
    )
    assert {state.instigator_name: state.status for state in listed}[origin.instigator_name] == InstigatorStatus.RUNNING


def test_timers_that_are_not_due_ask_the_database_nothing(
    site: Site, timed: NewTimed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timer_scheduler, "READ_CLOCK_EVERY", 0.001)
    clock, statements, stop = TestClock(), list[str](), threading.Event()
    timer = Timed(site, clock, every="10s")
    scheduler = timer_scheduler.TimerScheduler(site.settings, site.engine, site.instance, clock)
    loop = scheduler.core_loop(None, stop)  # type: ignore[arg-type]  # our loop needs no workspace
    event.listen(site.engine, "before_cursor_execute", lambda _c, _u, text, *_: statements.append(text))

    def look() -> None:
        assert SpanMarker.END_SPAN in loop

    look()
    statements.clear()
    assert [next(loop) for _ in range(20)] == [None] * 20
    assert statements == []
    clock.forward(seconds=10)
    look()
    assert timer.fired() == ["12:00:10"]
    scheduler.wake()
    look()
    clock.forward(hours=-1)
    look()
    clock.forward(seconds=10)
    look()
    assert timer.fired() == ["11:00:20", "12:00:10"]


def test_what_cron_cannot_say_is_shown_on_one_sensor(site: Site, timed: NewTimed, start: Start) -> None:
    start("daemon.daemon")
    timer = timed(every="2s")
    origin = instigator_origin(SENSOR, site.settings)
    wait_until(timer.fired, "a tick", LONG)
    run_id = timer.ticks()[0].run_id

    def is_shown() -> bool:
        return any(run == run_id for _, _, run in dagster_ticks(site.instance, origin))

    wait_until(is_shown, "Dagster shows it", LONG)
    site.wait_for_status(run_id or "", "SUCCESS", deadline=LONG)
    run = site.instance.get_run_by_id(run_id or "")
    assert run is not None
    assert run.tags["dagster/sensor_name"] == SENSOR


def test_daemon_that_was_down_for_an_hour_catches_up_by_policy(site: Site, timed: NewTimed, start: Start) -> None:
    """The hour passes by setting back the moment up to which the timers are decided."""
    every, latest, none = (timed(cron="*/10 * * * *", catch_up=policy) for policy in ("all", "latest", "none"))
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for timer in (every, latest, none):
        timer.begin(hour_ago)
    start("daemon.daemon")
    wait_until(lambda: len(every.fired()) >= 6, "the hour is caught up", LONG)
    wait_until(lambda: latest.fired() and none.ticks(), "the others are decided", LONG)
    assert len(latest.fired()) == 1
    assert latest.ticks()[0].status == "missed"
    assert none.ticks()[0].status == "missed"
    assert (every.run_count(), latest.run_count()) == (len(every.fired()), 1)


def test_saved_timer_is_listed_by_the_code_location(site: Site, timed: NewTimed) -> None:
    timer = timed(cron="0 3 * * *", timezone="Europe/Berlin")
    schedules = {
        schedule.name: schedule
        for schedule in runpy.run_module("definitions.repository")["StoredGraphs"](site.engine).get_all_schedules()
    }
    found = schedules[origin_of(timer).instigator_name]
    assert (found.cron_schedule, found.execution_timezone) == ("0 3 * * *", "Europe/Berlin")
