"""Delays between attempts."""

from stream_api.following.backoff import FIRST, LONGEST, Backoff


def test_delays_double_with_jitter_up_to_the_longest() -> None:
    backoff = Backoff()
    for step in range(12):
        limit = min(FIRST * 2**step, LONGEST)
        assert limit / 2 <= backoff.next_delay() <= limit


def test_success_begins_anew() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.next_delay()
    backoff.reset()
    assert backoff.next_delay() <= FIRST
