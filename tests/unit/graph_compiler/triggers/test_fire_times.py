"""The times of every kind of timer: bounds, anchors, several lines, jitter, and the last of many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_compiler.triggers.fire_times import FireTimes, delay_of
from tests.unit.graph_compiler.timers import first, timer, utc

KINDS: list[dict[str, Any]] = [
    {"cron": "*/7 * * * *"},
    {"cron": "*/20 * * * * *"},
    {"cron": ["0 3 * * *", "30 2 * * *", "0 * * * 1"], "timezone": "Europe/Berlin"},
    {"every": "97s", "anchor": "2026-10-25T01:00:13"},
    {"every": "36h", "start": "2026-10-24", "end": "2026-10-30", "timezone": "America/New_York"},
    {"rrule": "FREQ=DAILY;BYHOUR=2,14;BYMINUTE=30;BYSECOND=0", "anchor": "2026-01-01", "timezone": "Europe/Berlin"},
    {"at": "2026-10-25T02:30", "timezone": "Europe/Berlin"},
]
MOMENTS = st.datetimes(datetime(2026, 10, 20), datetime(2026, 10, 28)).map(lambda time: time.replace(tzinfo=UTC))


def test_lines_are_merged_and_a_common_time_fires_once() -> None:
    assert first(4, "2026-01-01T11:00", cron=["0 12 * * *", "0 */6 * * *", "30 12 * * *"]) == [
        "2026-01-01T12:00:00+00:00",
        "2026-01-01T12:30:00+00:00",
        "2026-01-01T18:00:00+00:00",
        "2026-01-02T00:00:00+00:00",
    ]


def test_start_is_included_and_end_is_not() -> None:
    bounds = {"start": "2026-01-01T12:00", "end": "2026-01-01T14:00"}
    expected = ["2026-01-01T12:00:00+00:00", "2026-01-01T13:00:00+00:00"]
    assert first(9, "2025-06-01", cron="0 * * * *", **bounds) == expected
    assert first(9, "2025-06-01", every="1h", **bounds) == expected


def test_intervals_count_from_the_epoch_or_their_anchor() -> None:
    assert first(2, "2026-01-01T00:01", every="15m") == ["2026-01-01T00:15:00+00:00", "2026-01-01T00:30:00+00:00"]
    assert first(1, "2026-01-01", every="90s", anchor="2026-06-01T00:00:10") == ["2026-06-01T00:00:10+00:00"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(next(iter(kind))))
@settings(max_examples=25, deadline=None)
@given(MOMENTS, st.integers(0, 200_000), st.integers(1, 50))
def test_the_latest_are_the_end_of_all(kind: dict[str, Any], after: datetime, seconds: int, limit: int) -> None:
    times, until = FireTimes(timer(**kind)), after + timedelta(seconds=seconds)
    everything = list(times.between(after, until))
    assert times.latest(after, until, limit) == everything[-limit:]
    assert all(after < time <= until for time in everything)
    assert everything == sorted(set(everything))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(next(iter(kind))))
@settings(max_examples=25, deadline=None)
@given(MOMENTS)
def test_going_on_from_any_time_gives_the_same_times(kind: dict[str, Any], moment: datetime) -> None:
    times = FireTimes(timer(**kind))
    at_once = list(islice(times.after(moment), 8))
    one_by_one = []
    while len(one_by_one) < len(at_once):
        moment = next(times.after(moment))
        one_by_one.append(moment)
    assert one_by_one == at_once


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.text(max_size=9))
def test_jitter_is_within_its_bound_and_the_same_each_time(moment: datetime, key: str) -> None:
    trigger, time = timer(every="1h", jitter="10m"), moment.replace(tzinfo=UTC)
    delay = delay_of(trigger, key, time)
    assert timedelta(0) <= delay < timedelta(minutes=10)
    assert delay == delay_of(trigger, key, time)


def test_jitter_spreads() -> None:
    trigger = timer(every="1h", jitter="10m")
    delays = {delay_of(trigger, str(key), utc("2026-01-01")).seconds // 60 for key in range(200)}
    assert delays == set(range(10))
