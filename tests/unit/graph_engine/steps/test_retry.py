"""The rests between attempts are those that Dagster shows for a node's policy."""

from __future__ import annotations

from typing import Any

import pytest
from dagster._core.definitions import policy

from graph_compiler.jobs.retry_policy import retry_policy
from graph_compiler.language.spec import RetrySpec
from graph_engine.steps.retry import LONGEST, delay_before


@pytest.mark.parametrize("backoff", ["constant", "linear", "exponential"])
@pytest.mark.parametrize("jitter", ["none", "full", "plus_minus"])
@pytest.mark.parametrize("attempt", [1, 2, 7])
def test_rest_is_that_of_the_policy(backoff: Any, jitter: Any, attempt: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "random", lambda: 0.25)
    retry = RetrySpec(max_attempts=9, delay=3, backoff=backoff, jitter=jitter)
    shown = retry_policy(retry)
    assert shown is not None
    assert delay_before(retry, attempt, 0.25) == max(0.0, float(shown.calculate_delay(attempt)))


def test_rest_never_grows_beyond_what_a_document_may_say() -> None:
    assert delay_before(RetrySpec(max_attempts=100, delay=60, backoff="exponential"), 99, 0.5) == LONGEST
