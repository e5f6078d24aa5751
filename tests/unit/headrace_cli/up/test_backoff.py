"""Delays between restarts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace_cli.up.backoff import Backoff


def test_delay_doubles_up_to_the_longest() -> None:
    backoff = Backoff(first=1, longest=10)
    assert [backoff.delay(crashes) for crashes in range(1, 7)] == [1, 2, 4, 8, 10, 10]


def test_a_long_life_forgives_earlier_crashes() -> None:
    backoff = Backoff(calm=60)
    assert (backoff.crashes(5, lived=59), backoff.crashes(5, lived=60)) == (6, 1)


@given(st.integers(1, 10**9))
def test_delay_is_never_outside_its_bounds(crashes: int) -> None:
    backoff = Backoff()
    assert backoff.first <= backoff.delay(crashes) <= backoff.longest
