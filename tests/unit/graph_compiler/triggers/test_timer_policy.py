"""What becomes of a timer's times, for any clock: each time is decided once, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_compiler.triggers.fire_times import FireTimes
from graph_compiler.triggers.timer_policy import (
    GRACE,
    MAX_CAUGHT_UP,
    Decision,
    Missed,
    Verdict,
    decide,
    overlap_verdict,
)
from tests.unit.graph_compiler.timers import timer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def decided(minutes_down: float, **parts: Any) -> Decision:
    trigger = timer(**({"cron": "* * * * *"} | parts))
    return decide(trigger, "key", NOON, NOON + minutes_down * MINUTE)


@pytest.mark.parametrize(
    ("policy", "fire", "missed"),
    [
        ({"catch_up": "none"}, [5], Missed(NOON + MINUTE, NOON + 4 * MINUTE, 4)),
        ({"catch_up": "latest"}, [5], Missed(NOON + MINUTE, NOON + 4 * MINUTE, 4)),
        ({"catch_up": "all"}, [1, 2, 3, 4, 5], None),
        ({"catch_up": "all", "catch_up_window": "2m"}, [4, 5], Missed(NOON + MINUTE, NOON + 3 * MINUTE, 3)),
    ],
)
def test_late_by_minutes_with_one_on_time(policy: dict[str, Any], fire: list[int], missed: Missed | None) -> None:
    decision = decided(5.2, **policy)
    assert decision.fire == tuple(NOON + number * MINUTE for number in fire)
    assert decision.missed == missed
    assert (decision.decided_until, decision.look_at) == (NOON + 5 * MINUTE, NOON + 6 * MINUTE)


@pytest.mark.parametrize(("policy", "fire"), [("none", []), ("latest", [5]), ("all", [1, 2, 3, 4, 5])])
def test_late_by_minutes_with_none_on_time(policy: str, fire: list[int]) -> None:
    assert decided(5.9, catch_up=policy).fire == tuple(NOON + number * MINUTE for number in fire)


def test_window_shuts_out_the_latest_too() -> None:
    decision = decided(90, cron="0 13 * * *", catch_up="latest", catch_up_window="10m")
    assert (decision.fire, decision.missed) == ((), Missed(NOON + 60 * MINUTE, NOON + 60 * MINUTE, 1))


def test_catching_up_has_a_limit_and_the_rest_is_counted_as_far_as_anybody_counts() -> None:
    days = 3
    decision = decided(days * 1440, catch_up="all", catch_up_window="30d")
    assert len(decision.fire) == MAX_CAUGHT_UP
    assert decision.missed is not None
    assert decision.missed.count == days * 1440 - MAX_CAUGHT_UP
    assert decided(days * 1440, cron="* * * * * *", catch_up="none").missed == Missed(
        NOON + timedelta(seconds=1), NOON + days * 1440 * MINUTE - GRACE - timedelta(seconds=1), None
    )


def test_clock_that_was_set_back_goes_on_from_now() -> None:
    decision = decide(timer(cron="* * * * *"), "key", NOON + timedelta(days=365), NOON)
    assert decision == Decision((), None, NOON, NOON + MINUTE)


def test_a_moment_of_difference_between_two_clocks_is_nothing() -> None:
    ahead = NOON + timedelta(seconds=2)
    assert decide(timer(cron="* * * * *"), "key", ahead, NOON).decided_until == ahead


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [{"cron": "* * * * *"}, {"every": "50s"}, {"cron": "*/25 * * * * *"}, {"every": "3m", "jitter": "2m"}]
    ),
    st.sampled_from(["none", "latest", "all"]),
    st.lists(st.integers(1, 600), max_size=25),
)
def test_every_time_is_fired_or_missed_once_whatever_the_pauses(
    kind: dict[str, Any], policy: str, pauses: list[int]
) -> None:
    trigger, now, reached = timer(catch_up=policy, **kind), NOON, NOON
    fired: list[datetime] = []
    missed: list[datetime] = []
    for pause in pauses:
        now += timedelta(seconds=pause)
        decision = decide(trigger, "key", reached, now)
        fired += decision.fire
        if decision.missed is not None:
            passed = list(FireTimes(trigger).between(reached, decision.missed.last))
            assert (passed[0], len(passed)) == (decision.missed.first, decision.missed.count)
            missed += passed
        assert decision.decided_until >= reached
        assert decision.look_at is not None
        assert decision.look_at > now or decision.look_at >= reached
        reached = decision.decided_until
    assert sorted([*fired, *missed]) == list(FireTimes(trigger).between(NOON, reached))
    assert fired == sorted(set(fired))
    if policy == "all":
        assert missed == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-900, 900), max_size=25), st.sampled_from(["none", "latest", "all"]))
def test_with_keys_no_clock_fires_a_time_twice(jumps: list[int], policy: str) -> None:
    """The record of ticks refuses a time that was fired; without it a clock that jumps back would repeat it."""
    trigger, now, reached = timer(cron="* * * * *", catch_up=policy), NOON, NOON
    fired: list[datetime] = []
    for jump in jumps:
        now += timedelta(seconds=jump)
        decision = decide(trigger, "key", reached, now)
        assert all(time <= now for time in decision.fire)
        fired += [time for time in decision.fire if time not in fired]
        reached = decision.decided_until
        assert reached <= now + GRACE
    assert len(fired) == len(set(fired))


@pytest.mark.parametrize(
    ("overlap", "is_running", "is_waiting"),
    list(product(["allow", "skip", "queue_one", "cancel_running"], [False, True], [False, True])),
)
def test_overlap(overlap: str, is_running: bool, is_waiting: bool) -> None:
    expected = Verdict.RUN
    if overlap != "allow" and (is_running or is_waiting):
        expected = {
            ("skip", False): Verdict.SKIP,
            ("skip", True): Verdict.SKIP,
            ("queue_one", False): Verdict.WAIT,
            ("queue_one", True): Verdict.SKIP,
            ("cancel_running", False): Verdict.WAIT,
            ("cancel_running", True): Verdict.WAIT_INSTEAD,
        }[overlap, is_waiting]
    assert overlap_verdict(overlap, is_running=is_running, is_waiting=is_waiting) is expected
