"""A node's `retry` in Dagster's terms."""

from __future__ import annotations

from dagster import Backoff, Jitter, RetryPolicy

from graph_compiler.language.spec import RetrySpec

_BACKOFF = {"constant": None, "linear": Backoff.LINEAR, "exponential": Backoff.EXPONENTIAL}
_JITTER = {"none": None, "full": Jitter.FULL, "plus_minus": Jitter.PLUS_MINUS}


def retry_policy(retry: RetrySpec | None) -> RetryPolicy | None:
    """The policy that Dagster shows."""
    if retry is None or retry.max_attempts == 1:
        return None
    return RetryPolicy(
        max_retries=retry.max_attempts - 1,
        delay=retry.delay,
        backoff=_BACKOFF[retry.backoff],
        jitter=_JITTER[retry.jitter],
    )
