"""Timers on a real database, with a clock that the tests set: exactly the ticks that the policy says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from definitions.daemon.timer_firing import TimerFiring
from platform_core.graphs.graph_store import delete_graph
from platform_core.triggers.tick_store import start_backfill
from platform_core.triggers.timer_store import set_switch, switch_trigger
from tests.integration.definitions.daemon.timers import NOON, TestClock, Timed, fire_until
from tests.integration.definitions.site import Site
from tests.waiting import wait_until

STOPPED = """
import sys, time
from datetime import datetime
from definitions.daemon import timer_firing
from platform_core.triggers import timer_store
from platform_core.database.engine import build_engine

step, url, now = sys.argv[1:]
owner = timer_firing if step == "start_tick" else timer_store
act = getattr(owner, step)

def stop(*arguments):
    act(*arguments)
    print("after", step, flush=True)
    time.sleep(600)

setattr(owner, step, stop)
timer_firing.TimerFiring(build_engine(url), lambda: datetime.fromisoformat(now)).fire_due()
"""
"""A daemon that stops within the transaction of a tick, after one of its steps."""
NewTimed = Callable[..., Timed]


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def timed(site: Site, clock: TestClock) -> Iterator[NewTimed]:
    """Makes a timer that ends with the test."""
    yield lambda **trigger: Timed(site, clock, **trigger)
    with site.engine.begin() as connection:
        connection.execute(sa.text("UPDATE headrace.timers SET look_at = NULL"))
        connection.execute(sa.text("DELETE FROM headrace.ticks WHERE status = 'waiting'"))


def test_each_time_fires_once_with_its_params_and_key(timed: NewTimed, clock: TestClock, site: Site) -> None:
    timer = timed(params={"at": "{{ tick.local }} {{ trigger.source }}"}, timezone="Europe/Berlin")
    fire_until(timer, NOON + timedelta(minutes=3), timedelta(seconds=20))
    assert timer.fired() == ["12:01:00", "12:02:00", "12:03:00"]
    runs = [site.run(tick.run_id or "") for tick in timer.ticks()]
    assert [run.params for run in runs] == [{"at": f"2030-01-01T13:0{n}:00+01:00 timer"} for n in (1, 2, 3)]
    assert {(run.trigger_kind, run.trigger_id, run.version) for run in runs} == {("schedule", "tick", 1)}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"catch_up": "none"}, [("12:01:00", "missed"), ("13:00:00", "fired")]),
        ({"catch_up": "latest"}, [("12:01:00", "missed"), ("13:00:00", "fired")]),
        ({"catch_up": "all"}, [(f"{12 + n // 60}:{n % 60:02}:00", "fired") for n in range(1, 61)]),
        (
            {"catch_up": "all", "catch_up_window": "3m"},
            [("12:01:00", "missed"), *((f"12:{n}:00", "fired") for n in (58, 59)), ("13:00:00", "fired")],
        ),
    ],
)
def test_daemon_that_was_down_for_an_hour(
    timed: NewTimed, clock: TestClock, policy: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    timer = timed(**policy)
    timer.fire()
    clock.forward(hours=1, seconds=10)
    timer.fire()
    timer.fire()
    assert timer.story() == expected
    assert timer.run_count() == len(timer.fired())


def test_the_latest_missed_time_runs_when_none_is_on_time(timed: NewTimed, clock: TestClock) -> None:
    timer = timed(cron="0 * * * *", catch_up="latest")
    clock.forward(hours=5, minutes=20)
    timer.fire()
    assert timer.story() == [("13:00:00", "missed"), ("17:00:00", "fired")]
    missed = timer.ticks()[0]
    assert (missed.missed_count, missed.missed_until) == (4, NOON + timedelta(hours=4))


def test_clock_that_is_set_back_fires_nothing_twice(timed: NewTimed, clock: TestClock) -> None:
    timer = timed(catch_up="all")
    fire_until(timer, NOON + timedelta(minutes=10), timedelta(minutes=1))
    clock.forward(minutes=-6)
    fire_until(timer, NOON + timedelta(minutes=12), timedelta(minutes=1))
    assert timer.fired() == [f"12:{n:02}:00" for n in range(1, 13)]
    assert timer.run_count() == 12


def test_clock_that_was_a_year_ahead_for_a_moment_silences_nobody(timed: NewTimed, clock: TestClock) -> None:
    timer = timed(cron="0 * * * *", catch_up="none")
    clock.forward(days=365, minutes=30)
    timer.fire()
    clock.forward(days=-365)
    fire_until(timer, NOON + timedelta(hours=2, minutes=1), timedelta(minutes=1))
    assert timer.fired() == ["13:00:00", "14:00:00"]
    assert timer.run_count() == 2


def test_a_wrong_clock_is_noticed_by_a_daemon_that_starts_later(timed: NewTimed, clock: TestClock, site: Site) -> None:
    timer = timed(cron="0 * * * *", catch_up="none")
    clock.forward(days=30, minutes=30)
    timer.fire()
    clock.forward(days=-30)
    timer.firing = TimerFiring(site.engine, clock)
    timer.firing.look_again()
    fire_until(timer, NOON + timedelta(hours=1, minutes=1), timedelta(minutes=1))
    assert timer.fired() == ["13:00:00"]


def test_two_daemons_by_mistake_share_the_times(timed: NewTimed, clock: TestClock, site: Site) -> None:
    timers = [timed(every="7s", catch_up="all") for _ in range(6)]
    daemons = [TimerFiring(site.engine, clock) for _ in range(4)]
    with ThreadPoolExecutor(len(daemons)) as pool:
        for _ in range(20):
            clock.forward(seconds=10)
            list(pool.map(lambda daemon: daemon.fire_due(), daemons))
    counts = [(len(timer.fired()), timer.run_count()) for timer in timers]
    begin = int(NOON.timestamp())
    expected = (begin + 200) // 7 - begin // 7
    assert counts == [(expected, expected)] * 6


@pytest.mark.parametrize("overlap", ["allow", "queue_one"])
@pytest.mark.parametrize("step", ["start_tick", "set_progress"])
def test_daemon_that_is_killed_within_a_tick_leaves_all_of_it_to_the_next(
    timed: NewTimed, clock: TestClock, site: Site, step: str, overlap: str
) -> None:
    timer = timed(every="10s", catch_up="all", overlap=overlap)
    clock.forward(seconds=10)
    arguments = [step, str(site.settings.database_url), clock().isoformat()]
    with subprocess.Popen([sys.executable, "-c", STOPPED, *arguments], stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == f"after {step}\n"
        assert TimerFiring(site.engine, clock).fire_due() == 0  # the tick is another daemon's, as long as that lives
        daemon.kill()
    assert (timer.ticks(), timer.run_count()) == ([], 0)
    wait_until(lambda: TimerFiring(site.engine, clock).fire_due(), "the server has noticed that the daemon is gone")
    assert (timer.fired(), timer.run_count()) == (["12:00:10"], 1)


def test_editing_never_fires_the_past_and_keeps_what_is_to_be_caught_up(timed: NewTimed, clock: TestClock) -> None:
    timer = timed(cron="0 * * * *", catch_up="all")
    clock.forward(hours=2, minutes=5)
    timer.save(cron="0 * * * *", catch_up="all", params={"at": "edited"})
    timer.fire()
    assert timer.fired() == ["13:00:00", "14:00:00"]
    timer.save(cron="*/5 * * * *", catch_up="all")
    timer.begin(clock.now)
    timer.fire()
    assert timer.fired() == ["13:00:00", "14:00:00"]
    clock.forward(minutes=5)
    timer.fire()
    assert timer.fired() == ["13:00:00", "14:00:00", "14:10:00"]


def test_edited_times_begin_at_the_moment_of_saving(timed: NewTimed, site: Site) -> None:
    timer = timed(cron="0 * * * *")
    query = "SELECT decided_until > now() - interval '5 minutes' FROM headrace.timers WHERE trigger = :trigger"
    assert site.fetch(query, trigger=timer.trigger) == [(True,)]
    timer.begin(NOON - timedelta(days=9999))
    timer.save(cron="0 * * * *", overlap="skip")
    assert site.fetch(query, trigger=timer.trigger) == [(False,)]
    timer.save(cron="1 * * * *", overlap="skip")
    assert site.fetch(query, trigger=timer.trigger) == [(True,)]


class TestOverlap:
    def test_allow_runs_beside(self, timed: NewTimed, clock: TestClock) -> None:
        timer = timed(overlap="allow")
        fire_until(timer, NOON + timedelta(minutes=2), timedelta(minutes=1))
        assert timer.fired() == ["12:01:00", "12:02:00"]

    def test_skip_says_which_run_was_in_the_way(self, timed: NewTimed, clock: TestClock) -> None:
        timer = timed(overlap="skip")
        fire_until(timer, NOON + timedelta(minutes=2), timedelta(minutes=1))
        first, second = timer.ticks()
        assert (second.status, second.reason) == ("skipped", f"run {first.run_id} has not ended")
        timer.end_runs()
        fire_until(timer, NOON + timedelta(minutes=3), timedelta(minutes=1))
        assert timer.story() == [("12:01:00", "fired"), ("12:02:00", "skipped"), ("12:03:00", "fired")]

    def test_queue_one_keeps_the_first_that_comes(self, timed: NewTimed, clock: TestClock) -> None:
        timer = timed(overlap="queue_one")
        fire_until(timer, NOON + timedelta(minutes=3), timedelta(minutes=1))
        assert timer.story() == [("12:01:00", "fired"), ("12:02:00", "waiting"), ("12:03:00", "skipped")]
        assert timer.firing.has_waiting
        timer.end_runs()
        timer.fire()
        assert timer.story() == [("12:01:00", "fired"), ("12:02:00", "fired"), ("12:03:00", "skipped")]
        assert timer.run_count() == 2

    def test_cancel_running_waits_for_the_end_and_the_last_tick_wins(
        self, timed: NewTimed, clock: TestClock, site: Site
    ) -> None:
        timer = timed(overlap="cancel_running")
        fire_until(timer, NOON + timedelta(minutes=3), timedelta(minutes=1))
        assert timer.story() == [("12:01:00", "fired"), ("12:02:00", "skipped"), ("12:03:00", "waiting")]
        wanted = "SELECT count(*) FROM headrace.runs WHERE graph_id = :graph AND cancel_requested_at IS NOT NULL"
        assert site.fetch(wanted, graph=timer.graph.id) == [(1,)]
        timer.end_runs()
        timer.fire()
        assert timer.story()[-1] == ("12:03:00", "fired")
        assert timer.run_count() == 2


class TestSwitches:
    def test_disabled_timer_does_not_fire_and_does_not_catch_up(
        self, timed: NewTimed, clock: TestClock, site: Site
    ) -> None:
        timer = timed(catch_up="all", overlap="queue_one")
        fire_until(timer, NOON + timedelta(minutes=2), timedelta(minutes=1))
        with site.engine.begin() as connection:
            assert switch_trigger(connection, timer.trigger, False)
            assert not switch_trigger(connection, timer.trigger, False)
        fire_until(timer, NOON + timedelta(minutes=5), timedelta(minutes=1))
        assert timer.story() == [("12:01:00", "fired"), ("12:02:00", "skipped")]
        with site.engine.begin() as connection:
            assert switch_trigger(connection, timer.trigger, True)
        timer.begin(clock.now)
        timer.end_runs()
        fire_until(timer, NOON + timedelta(minutes=6), timedelta(minutes=1))
        assert timer.story()[2:] == [("12:06:00", "fired")]

    def test_timers_of_a_deleted_graph_are_silent(self, timed: NewTimed, clock: TestClock, site: Site) -> None:
        timer = timed()
        with site.engine.begin() as connection:
            delete_graph(connection, timer.graph.id)
        clock.forward(minutes=5)
        timer.fire()
        assert timer.story() == []

    def test_removed_trigger_gives_up_what_waits(self, timed: NewTimed, clock: TestClock, site: Site) -> None:
        timer = timed(overlap="queue_one")
        fire_until(timer, NOON + timedelta(minutes=2), timedelta(minutes=1))
        trigger = timer.trigger
        timer.save(id="other", overlap="queue_one")
        query = "SELECT status, reason FROM headrace.ticks WHERE trigger = :trigger ORDER BY scheduled_at"
        assert site.fetch(query, trigger=trigger)[1] == ("skipped", "the trigger was removed")

    def test_sensor_that_is_switched_off_holds_what_cron_cannot_say(
        self, timed: NewTimed, clock: TestClock, site: Site
    ) -> None:
        plain, interval = timed(), timed(every="60s", catch_up="none")
        with site.engine.begin() as connection:
            set_switch(connection, "timers", False)
        clock.forward(minutes=1)
        plain.fire()
        assert (plain.fired(), interval.story()) == (["12:01:00"], [])
        with site.engine.begin() as connection:
            set_switch(connection, "timers", True)
        clock.forward(minutes=1)
        plain.fire()
        assert interval.story() == [("12:01:00", "missed"), ("12:02:00", "fired")]


def test_params_that_do_not_fit_are_refused_with_their_issues(timed: NewTimed, clock: TestClock) -> None:
    timer = timed(params={"at": "{{ tick.hour }}"})
    clock.forward(minutes=1)
    timer.fire()
    (tick,) = timer.ticks()
    assert (tick.status, tick.run_id) == ("refused", None)
    assert [issue["code"] for issue in tick.issues or []] == ["bad_param"]


def test_single_time_and_its_end(timed: NewTimed, clock: TestClock) -> None:
    timer = timed(at="2030-01-01T13:30", timezone="Europe/Berlin", jitter="10s")
    fire_until(timer, NOON + timedelta(hours=2), timedelta(seconds=30))
    assert timer.fired() == ["12:30:00"]


def test_jitter_delays_the_run_and_not_its_time(timed: NewTimed, clock: TestClock) -> None:
    timer = timed(cron="0 * * * *", jitter="30m", catch_up="none")
    fire_until(timer, NOON + timedelta(hours=1), timedelta(minutes=1))
    assert timer.story() == []
    fire_until(timer, NOON + timedelta(hours=1, minutes=31), timedelta(seconds=20))
    assert timer.fired() == ["13:00:00"]


def test_timer_that_cannot_be_decided_does_not_stop_the_others(
    timed: NewTimed, clock: TestClock, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = timed(), timed()
    broken.execute("""UPDATE headrace.triggers SET config = '{"id": "tick"}' WHERE id = :trigger""")
    clock.forward(minutes=1)
    whole.fire()
    assert whole.fired() == ["12:01:00"]
    assert "cannot be decided" in caplog.text


class TestBackfill:
    PERIOD = (NOON - timedelta(hours=5), NOON)
    TIMES = tuple(NOON - timedelta(hours=hours) for hours in (5, 4, 3, 2, 1))

    def start(self, timer: Timed, max_parallel: int) -> list[str]:
        with timer.site.engine.begin() as connection:
            _, started = start_backfill(
                connection,
                timer.trigger,
                self.TIMES,
                period=self.PERIOD,
                max_parallel=max_parallel,
                created_by=timer.site.owner_id,
            )
        return [f"{time:%H:%M}" for time in started]

    def test_keeps_its_limit_and_ends(self, timed: NewTimed, clock: TestClock) -> None:
        timer = timed(cron="0 * * * *", overlap="skip", enabled=False)
        assert self.start(timer, 2) == ["07:00", "08:00", "09:00", "10:00", "11:00"]
        for expected in (2, 4, 5, 5):
            timer.fire()
            timer.fire()
            assert len(timer.fired()) == timer.run_count() == expected
            timer.end_runs()
        assert not [status for _, status in timer.story() if status != "fired"]

    def test_again_doubles_nothing(self, timed: NewTimed, clock: TestClock) -> None:
        timer = timed(cron="0 * * * *")
        assert len(self.start(timer, 2)) == 5
        assert self.start(timer, 2) == []
        timer.fire()
        assert self.start(timer, 100) == []
        for _ in range(4):
            timer.end_runs()
            timer.fire()
        assert (len(timer.fired()), timer.run_count()) == (5, 5)

    def test_runs_what_was_missed_and_does_not_stop_the_timer(self, timed: NewTimed, clock: TestClock) -> None:
        timer = timed(cron="0 * * * *", overlap="skip", catch_up="none")
        timer.begin(NOON - timedelta(hours=6))
        timer.fire()
        assert timer.story() == [("07:00:00", "missed"), ("12:00:00", "fired")]
        timer.end_runs()
        assert len(self.start(timer, 5)) == 5
        clock.forward(hours=1)
        timer.fire()
        assert timer.fired() == ["07:00:00", "08:00:00", "09:00:00", "10:00:00", "11:00:00", "12:00:00", "13:00:00"]
