"""A node's `retry` in Dagster's terms."""

from __future__ import annotations

from dagster import Backoff, Jitter, RetryPolicy

from graph_compiler.language.spec import RetrySpec

_BACKOFF = {"constant": None, "linear": Backoff.LINEAR, "exponential": Backoff.EXPONENTIAL}
_JITTER = {"none": None, "full": Jitter.FULL, "plus_minus": Jitter.PLUS_MINUS}


def retry_policy(retry: RetrySpec | None) -> RetryPolicy | None:
    """The policy that Dagster shows, and follows where an error is not one of ours."""
    if retry is None or retry.max_attempts == 1:
        return None
    return RetryPolicy(
        max_retries=retry.max_attempts - 1,
        delay=retry.delay,
        backoff=_BACKOFF[retry.backoff],
        jitter=_JITTER[retry.jitter],
    )


def delay_before(retry: RetrySpec, attempt: int) -> float:
    """Seconds between the end of this attempt (from 1) and the next."""
    policy = retry_policy(retry)
    return 0.0 if policy is None else max(0.0, float(policy.calculate_delay(attempt)))
