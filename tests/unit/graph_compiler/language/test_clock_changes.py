"""The hour that is skipped in spring and the one that comes twice in autumn, by the documented rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_compiler.language.clock_changes import moments_of
from tests.unit.graph_compiler.timers import first

BERLIN = {"timezone": "Europe/Berlin"}


def test_time_in_the_gap_fires_when_the_gap_ends() -> None:
    assert first(3, "2026-03-27T12:00", cron="30 2 * * *", **BERLIN) == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_several_times_in_the_gap_fire_once() -> None:
    assert first(2, "2026-03-29T00:59:59", cron="*/10 2-3 * * *", **BERLIN) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:10:00+02:00",
    ]


def test_time_that_comes_twice_fires_the_second_time() -> None:
    assert first(2, "2026-10-24T12:00", cron="30 2 * * *", **BERLIN) == [
        "2026-10-25T02:30:00+01:00",
        "2026-10-26T02:30:00+01:00",
    ]


def test_hourly_timer_skips_the_gap_and_fires_in_both_hours_that_are_one() -> None:
    assert first(3, "2026-03-28T23:59", cron="30 * * * *", **BERLIN) == [
        "2026-03-29T01:30:00+01:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-29T04:30:00+02:00",
    ]
    assert first(4, "2026-10-24T23:00", cron="30 * * * *", **BERLIN) == [
        "2026-10-25T01:30:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:30:00+01:00",
    ]


@pytest.mark.parametrize(
    ("zone", "after", "expected"),
    [
        ("Australia/Lord_Howe", "2026-10-03T00:00", "2026-10-04T02:30:00+11:00"),  # half an hour, not a whole one
        ("America/Santiago", "2026-09-05T12:00", "2026-09-06T01:00:00-03:00"),  # at midnight
        ("Pacific/Apia", "2011-12-29T12:00", "2011-12-31T00:00:00+14:00"),  # a whole day
    ],
)
def test_unusual_gaps_end_where_they_end(zone: str, after: str, expected: str) -> None:
    cron = {"Australia/Lord_Howe": "15 2 * * *", "America/Santiago": "30 0 * * *"}.get(zone, "0 12 30 12 *")
    assert first(1, after, cron=cron, timezone=zone) == [expected]


def test_intervals_do_not_know_of_clocks() -> None:
    times = first(3, "2026-03-28T20:00", every="12h", anchor="2026-03-28T03:00", **BERLIN)
    assert times == ["2026-03-29T04:00:00+02:00", "2026-03-29T16:00:00+02:00", "2026-03-30T04:00:00+02:00"]


@settings(deadline=None)
@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    st.integers(1, 7200),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Gaza"]),
    st.booleans(),
)
def test_moments_come_in_order_and_each_once(begin: datetime, step: int, zone: str, hourly: bool) -> None:
    walls = [begin + timedelta(seconds=step * number) for number in range(200)]
    moments = list(moments_of(walls, ZoneInfo(zone), hourly=hourly))
    assert all(earlier < later for earlier, later in pairwise(moments))
    shown = {moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) for moment in moments}
    real = {w for w in walls if _exists(w, ZoneInfo(zone))}
    assert real <= shown


def _exists(wall: datetime, zone: ZoneInfo) -> bool:
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0) == wall
