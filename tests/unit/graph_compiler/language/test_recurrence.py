"""Recurrence rules of RFC 5545, through clock changes and within their limits."""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from graph_compiler.language.recurrence import Recurrence, RecurrenceError
from tests.unit.graph_compiler.timers import first

ANCHOR = datetime(2026, 1, 1, 9)
BERLIN = {"timezone": "Europe/Berlin"}


def test_last_friday_of_the_month() -> None:
    rule = "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0;BYSECOND=0"
    assert first(3, "2026-01-01", rrule=rule, anchor="2020-01-01", **BERLIN) == [
        "2026-01-30T17:00:00+01:00",
        "2026-02-27T17:00:00+01:00",
        "2026-03-27T17:00:00+01:00",
    ]


def test_every_second_week_counts_from_the_anchor() -> None:
    rule = {"rrule": "FREQ=WEEKLY;INTERVAL=2", "anchor": "1999-01-04T08:00"}
    assert first(2, "2026-01-01", **rule) == ["2026-01-12T08:00:00+00:00", "2026-01-26T08:00:00+00:00"]


def test_count_ends_it_and_until_too() -> None:
    assert first(9, "2000-01-01", rrule="RRULE:FREQ=DAILY;COUNT=2", anchor="2026-01-01") == [
        "2026-01-01T00:00:00+00:00",
        "2026-01-02T00:00:00+00:00",
    ]
    assert first(9, "2026-01-01T12:00", rrule="freq=daily;count=2", anchor="2026-01-01") == [
        "2026-01-02T00:00:00+00:00"
    ]
    until = {"rrule": "FREQ=DAILY;UNTIL=20260102T230000Z", "anchor": "2026-01-01", **BERLIN}
    assert [text[:10] for text in first(9, "2000-01-01", **until)] == ["2026-01-01", "2026-01-02", "2026-01-03"]


def test_gap_and_overlap_as_in_cron() -> None:
    daily = {"rrule": "FREQ=DAILY", "anchor": "2026-01-01T02:30", **BERLIN}
    assert first(1, "2026-03-28T12:00", **daily) == ["2026-03-29T03:00:00+02:00"]
    assert first(1, "2026-10-24T12:00", **daily) == ["2026-10-25T02:30:00+01:00"]
    hourly = {"rrule": "FREQ=HOURLY", "anchor": "2026-01-01T00:30", **BERLIN}
    assert len(first(3, "2026-10-24T23:59", **hourly)) == 3
    assert first(2, "2026-10-25T00:00", **hourly) == ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]


def test_old_hourly_rule_is_not_counted_through() -> None:
    begin = time.process_time()
    assert first(1, "2026-01-01T00:10", rrule="FREQ=HOURLY;INTERVAL=5", anchor="1900-01-01") != []
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("", "`` is no part of a rule"),
        ("FREQ=MINUTELY", "FREQ is one of"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is a number"),
        ("FREQ=DAILY;COUNT=10001", "COUNT is a number"),
        ("FREQ=DAILY;COUNT=1;UNTIL=20300101", "a rule has either COUNT or UNTIL"),
        ("FREQ=DAILY;UNTIL=soon", "no recurrence rule"),
        ("FREQ=DAILY;BYDAY=XX", "no recurrence rule"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no day is like that"),
        ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", "no day is like that"),
        ("FREQ=DAILY;UNTIL=20200101", "no day is like that"),
    ],
)
def test_rules_that_are_refused(rule: str, reason: str) -> None:
    with pytest.raises(RecurrenceError) as error:
        Recurrence(rule, ANCHOR, ZoneInfo("UTC"))
    assert str(error.value).startswith(reason)
