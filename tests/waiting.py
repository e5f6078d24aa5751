"""Waiting for a condition with a deadline; the only place of the tests that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], what: str, deadline: float = 60.0) -> T:
    """The first true value of `condition`, asked every 20 ms; fails the test after `deadline` seconds."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"still not so after {deadline} s: {what}")
        time.sleep(0.02)
