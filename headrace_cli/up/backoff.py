"""How long to wait before a crashed child is started again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Delays in seconds: `first`, doubled after each crash up to `longest`; `calm` seconds alive forgive the past."""

    first: float = 0.25
    longest: float = 30.0
    calm: float = 60.0

    def crashes(self, before: int, lived: float) -> int:
        """The number of crashes in a row, counting the present one of a child that lived `lived` seconds."""
        return 1 if lived >= self.calm else before + 1

    def delay(self, crashes: int) -> float:
        """Seconds to wait after the `crashes`-th crash in a row (the first is 1)."""
        return min(self.longest, self.first * 2.0 ** min(crashes - 1, 30))
