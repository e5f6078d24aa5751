"""Cron lines mean what Dagster's cron takes them for, and nonsense is refused with its reason."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from dagster._utils.schedules import is_valid_cron_string, schedule_execution_time_iterator
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from definitions.location.schedules import dagster_line
from graph_compiler.language.cron import CronError, parse_cron
from graph_compiler.triggers.fire_times import FireTimes
from tests.unit.graph_compiler.timers import timer

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Sydney", "Europe/London", "Asia/Kolkata", "UTC"]


def part(low: int, high: int) -> st.SearchStrategy[str]:
    """A field without `*/1` and ranges of one value, which Dagster's cron takes for `*`."""
    number = st.integers(low, high)
    span = st.lists(number, min_size=2, max_size=2, unique=True).map(sorted)
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.integers(2, high - low).map(lambda step: f"*/{step}"),
        span.map(lambda ends: f"{ends[0]}-{ends[1]}").filter(lambda text: text != f"{low}-{high}"),
        st.lists(number, min_size=2, max_size=3, unique=True).map(lambda values: ",".join(map(str, values))),
    )


LINES = st.tuples(part(0, 59), part(0, 23), part(1, 28), part(1, 12), part(0, 6)).map(" ".join)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)).map(lambda time: time.replace(tzinfo=UTC))
CLOCK_CHANGES = st.sampled_from(
    [datetime(2026, 3, 28, 20), datetime(2026, 10, 24, 20), datetime(2026, 3, 7, 20), datetime(2026, 10, 31, 20)]
).map(lambda time: time.replace(tzinfo=UTC))


@settings(max_examples=300, deadline=None)
@given(LINES, st.sampled_from(ZONES), st.one_of(MOMENTS, CLOCK_CHANGES))
def test_the_times_are_dagsters(line: str, zone: str, moment: datetime) -> None:
    assume(is_valid_cron_string(line))
    moment = moment.replace(microsecond=0)
    ours = islice(FireTimes(timer(cron=line, timezone=zone)).after(moment - timedelta(seconds=1)), 30)
    theirs = islice(schedule_execution_time_iterator(moment.timestamp(), line, zone), 30)
    assert list(ours) == [time.astimezone(UTC) for time in theirs]


@pytest.mark.parametrize(
    "line",
    [
        "0 0 l * *", "0 0 * * mon#1", "0 0 1,l * fri-mon", "@daily", "@MONTHLY", "2-2 3-3 * jan-mar *",
        "0 9 ? * mon-fri", "0 0 * * 7", "0 0 * * sun", "0 0 */1 * 3", "15 10 29 2 *", "0  12 * *  1",
    ],
)  # fmt: skip
def test_lines_that_are_rewritten_for_dagster_mean_the_same(line: str) -> None:
    said, begin = dagster_line(line), datetime(2026, 3, 20, tzinfo=UTC)
    ours = islice(FireTimes(timer(cron=line, timezone="Europe/Berlin")).after(begin - timedelta(seconds=1)), 9)
    theirs = islice(schedule_execution_time_iterator(begin.timestamp(), said, "Europe/Berlin"), 9)
    assert list(ours) == [time.astimezone(UTC) for time in theirs]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "a cron line has 5 fields"),
        ("* * * * * * *", "a cron line has 5 fields"),
        ("60 * * * *", "`60` is no minute (0 to 59)"),
        ("* 24 * * *", "`24` is no hour (0 to 23)"),
        ("* * 0 * *", "`0` is no day (1 to 31)"),
        ("* * * foo *", "`foo` is no month (1 to 12)"),
        ("*/90 * * * *", "a step of 90 does not fit into the minutes"),
        ("*/0 * * * *", "a step of 0 does not fit into the minutes"),
        ("1- * * * *", "`1-` is no minute"),
        ("* * * * mon#9", "`mon#9` in the weekday is not written like `mon#1`"),
        ("0 0 31 2,4 *", "no day is like that, so it would never fire"),
        ("\N{ARABIC-INDIC DIGIT ONE} * * * *", "`\N{ARABIC-INDIC DIGIT ONE}` is no minute"),
    ],
)
def test_nonsense_is_refused_with_its_reason(line: str, reason: str) -> None:
    with pytest.raises(CronError) as error:
        parse_cron(line)
    assert str(error.value).startswith(reason)


@given(st.text(max_size=30))
def test_any_other_text_is_refused_the_same_way(text: str) -> None:
    with contextlib.suppress(CronError):
        assert parse_cron(text).wall_times(datetime(2026, 1, 1))
