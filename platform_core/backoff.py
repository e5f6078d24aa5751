"""How long to wait before what failed is tried again."""

from __future__ import annotations

import random

FIRST = 0.05
LONGEST = 2.0


class Backoff:
    """Delays that double from `first` to `longest` seconds, with jitter so that many waiters do not return at once."""

    def __init__(self, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first = first
        self._longest = longest
        self._delay = first
        self.failures = 0
        """In a row."""

    def next_delay(self) -> float:
        """Count a failure; seconds to wait before the next attempt."""
        self.failures += 1
        delay, self._delay = self._delay, min(self._delay * 2, self._longest)
        return delay * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """An attempt succeeded: the next failure begins from the shortest delay."""
        self._delay = self._first
        self.failures = 0
