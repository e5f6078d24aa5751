"""How long to wait before a failed attempt is repeated."""

from __future__ import annotations

import random

FIRST = 0.05
LONGEST = 2.0


class Backoff:
    """Delays that double from 50 ms to 2 s, each with jitter so that many waiters do not come back at once."""

    def __init__(self) -> None:
        self._delay = FIRST

    def next_delay(self) -> float:
        """Seconds to wait before the next attempt."""
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST)
        return delay * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """An attempt succeeded: the next failure begins from the shortest delay."""
        self._delay = FIRST
