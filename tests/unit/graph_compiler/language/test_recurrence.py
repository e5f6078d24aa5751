"""Recurrence rules of RFC 5545, through clock changes and within their limits."""

from __future__ import annotations

import time
from datetime import datetime
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from graph_compiler.language.recurrence import HORIZON, Recurrence, RecurrenceError
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


@pytest.mark.parametrize("hour", ["09:00", "23:59:59", "00:00"])
def test_until_a_day_has_all_of_that_day(hour: str) -> None:
    rule = {"rrule": "FREQ=DAILY;UNTIL=20270105", "anchor": f"2027-01-02T{hour}", **BERLIN}
    assert [text[8:10] for text in first(9, "2000-01-01", **rule)] == ["02", "03", "04", "05"]
    never = {"rrule": "FREQ=DAILY;UNTIL=20270105T085959", "anchor": "2027-01-02T09:00", **BERLIN}
    assert [text[8:10] for text in first(9, "2000-01-01", **never)] == ["02", "03", "04"]


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
        ("", "`` is not a part of a rule"),
        ("FREQ=MINUTELY", "FREQ is one of"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is a number"),
        ("FREQ=DAILY;COUNT=10001", "COUNT is a number"),
        ("FREQ=DAILY;COUNT=1;UNTIL=20300101", "a rule has either COUNT or UNTIL"),
        ("FREQ=DAILY;UNTIL=soon", "not a recurrence rule"),
        ("FREQ=DAILY;BYDAY=XX", "not a recurrence rule"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no day is like that"),
        ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", "no day is like that"),
        ("FREQ=DAILY;UNTIL=20200101", "no day is like that"),
    ],
)
def test_rules_that_are_refused(rule: str, reason: str) -> None:
    with pytest.raises(RecurrenceError) as error:
        Recurrence(rule, ANCHOR, ZoneInfo("UTC"))
    assert str(error.value).startswith(reason)


@pytest.mark.parametrize(
    "rule",
    [
        *(f"FREQ={freq};BYMONTH=2;BYMONTHDAY=30" for freq in ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")),
        "FREQ=HOURLY;COUNT=3;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=8;BYEASTER=0",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=3",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=HOURLY;INTERVAL=168;BYDAY=MO",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2",
        "FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=-2",
        "FREQ=HOURLY;BYMINUTE=0,00;BYSETPOS=2",
        "FREQ=YEARLY;BYYEARDAY=1;BYMONTH=3",
        "FREQ=YEARLY;BYWEEKNO=20;BYMONTH=12",
    ],
)
def test_rules_that_never_fire_are_refused_after_little_work(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    rebuild = rrule._iterinfo.rebuild

    def counted(self: rrule._iterinfo, year: int, month: int) -> None:
        nonlocal steps
        steps += 1
        rebuild(self, year, month)

    monkeypatch.setattr(rrule._iterinfo, "rebuild", counted)
    with pytest.raises(RecurrenceError, match="never fire"):
        Recurrence(rule, ANCHOR, ZoneInfo("UTC"))
    assert steps <= 30_000  # dateutil looks at 2.9 million days up to the year 9999


@pytest.mark.parametrize(
    "rule", ["FREQ=YEARLY;BYDAY=60MO", "FREQ=HOURLY;INTERVAL=24;BYHOUR=3", "FREQ=HOURLY;BYHOUR=25"]
)
def test_what_dateutil_cannot_count_is_refused(rule: str) -> None:
    with pytest.raises(RecurrenceError, match="not a recurrence rule"):
        Recurrence(rule, ANCHOR, ZoneInfo("UTC"))


def listed(*values: object) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(lambda v: ",".join(map(str, v)))


PARTS = {
    "FREQ": st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"]),
    "INTERVAL": st.sampled_from(["1", "2", "3", "5", "7", "12", "24"]),
    "COUNT": st.sampled_from(["1", "3"]),
    "WKST": st.sampled_from(["MO", "SU"]),
    "BYSETPOS": listed(1, 2, -1, 5),
    "BYMONTH": listed(1, 2, 6, 12),
    "BYMONTHDAY": listed(1, 13, 29, 30, 31, -1, -31),
    "BYYEARDAY": listed(1, 60, 200, 366, -1, -366),
    "BYWEEKNO": listed(1, 20, 52, 53, -1),
    "BYDAY": listed("MO", "FR", "SU", "1TU", "-1FR", "5WE"),
    "BYHOUR": listed(0, 9, 23),
    "BYMINUTE": listed(0, 59),
    "BYSECOND": listed(0, 30),
    "BYEASTER": listed(0, -2, 49),
}


@given(
    parts=st.fixed_dictionaries({"FREQ": PARTS["FREQ"]}, optional={k: v for k, v in PARTS.items() if k != "FREQ"}),
    # So late that dateutil by itself comes to an end soon, which is what makes it a judge of rules that never fire.
    begin=st.datetimes(datetime(9940, 1, 1), datetime(9979, 1, 1)).map(lambda time: time.replace(microsecond=0)),
    cycles=st.integers(0, 19),
)
def test_times_are_dateutils_whenever_the_rule_begins(parts: dict[str, str], begin: datetime, cycles: int) -> None:
    if "BYEASTER" in parts:
        cycles = 0  # Easter does not repeat with the calendar
    text = ";".join(f"{key}={value}" for key, value in parts.items())
    anchor = begin.replace(year=begin.year - 400 * cycles)
    try:
        all_times = iter(rrule.rrulestr(text, dtstart=begin))
        wanted = list(takewhile(lambda time: time <= begin + HORIZON, islice(all_times, 5)))
    except (ValueError, TypeError, OverflowError):
        wanted = []
    try:
        found = list(islice(Recurrence(text, anchor, ZoneInfo("UTC")).wall_times(anchor), 5))
    except RecurrenceError:
        found = []
    assert found == [time.replace(year=time.year - 400 * cycles) for time in wanted]
