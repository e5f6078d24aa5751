"""The time, as the engine is given it."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Two clocks: the calendar's, which people may set, and one that only goes forward."""

    def now(self) -> float:
        """Seconds since the epoch: what records and waits say, the same for all workers."""

    def monotonic(self) -> float:
        """Seconds since some time, by which this worker measures how long things take."""

    def receive(self, inbox: SimpleQueue[T], seconds: float | None) -> T:
        """The next of the inbox, which other threads fill. Raises `queue.Empty` after `seconds` without one."""
