"""Time in a test: real while something runs, skipped where the run would only wait."""

from __future__ import annotations

import time
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class SkippingClock:
    """The machine's clocks, ahead by what was skipped."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        return time.time() + self._ahead

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def receive(self, inbox: SimpleQueue[T], seconds: float | None) -> T:
        return inbox.get(timeout=seconds)

    def skip_to(self, until: float) -> None:
        """Make it `until`, in seconds since the epoch, unless it is later already."""
        self._ahead += max(0.0, until - self.now())
