"""Schedule triggers: which of them Dagster can say, what their times are counted in, and what templates see."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.triggers.triggers import map_params, schedule_context
from tests.unit.graph_compiler.timers import timer, utc


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"cron": "0 3 * * *"}, True),
        ({"cron": ["@daily", "0 9 * * mon#1"], "overlap": "skip", "catch_up": "all"}, True),
        ({"cron": "0 0 3 * * *"}, False),
        ({"cron": ["0 3 * * *", "0 0 3 * * *"]}, False),
        ({"cron": "0 3 15 * mon#1"}, False),
        ({"cron": "0 3 * * *", "jitter": "1m"}, False),
        ({"cron": "0 3 * * *", "start": "2026-01-01"}, False),
        ({"every": "1h"}, False),
        ({"at": "2026-01-01"}, False),
    ],
)
def test_plain_cron_is_what_dagster_can_say(parts: dict[str, Any], expected: bool) -> None:
    assert timer(**parts).is_plain_cron is expected


def test_only_what_says_when_it_fires_is_timing() -> None:
    one = timer(cron="@daily", overlap="skip", params={"a": 1}, catch_up="all", enabled=False)
    assert one.timing() == timer(cron="@daily").timing()
    assert one.timing() != timer(cron="@daily", timezone="Europe/Berlin").timing()


def test_templates_see_the_tick_by_the_clock_of_its_zone() -> None:
    trigger = timer(cron="30 2 * * *", timezone="Europe/Berlin", params={"day": "{{ tick.date }} {{ trigger.source }}"})
    context = schedule_context(trigger, utc("2026-07-01T00:30"), "backfill")
    assert context == {
        "tick": {
            "time": "2026-07-01T00:30:00Z",
            "local": "2026-07-01T02:30:00+02:00",
            "date": "2026-07-01",
            "year": 2026,
            "month": 7,
            "day": 1,
            "hour": 2,
            "minute": 30,
            "second": 0,
            "weekday": 3,
            "unix": 1782865800,
            "previous": "2026-06-30T00:30:00Z",
        },
        "trigger": {"kind": "schedule", "id": "tick", "scheduled_at": "2026-07-01T00:30:00Z", "source": "backfill"},
    }
    assert map_params(trigger, context) == ({"day": "2026-07-01 backfill"}, [])


def test_first_tick_has_none_before_it() -> None:
    assert schedule_context(timer(at="2026-01-01"), utc("2026-01-01"), "timer")["tick"]["previous"] is None
