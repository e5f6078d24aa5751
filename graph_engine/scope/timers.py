"""What is due when."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any


class Timer:
    """Something to do at a time of the monotonic clock, unless it is called off."""

    __slots__ = ("act", "at", "subject")

    def __init__(self, at: float, act: Callable[[Any], None], subject: Any) -> None:
        self.at = at
        self.act: Callable[[Any], None] | None = act
        self.subject = subject

    def call_off(self) -> None:
        self.act = self.subject = None


class Timers:
    """Timers by time; those of one time in the order in which they were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._set = 0

    def set(self, at: float, act: Callable[[Any], None], subject: Any) -> Timer:
        """Have `act(subject)` called once `at` has come."""
        timer = Timer(at, act, subject)
        self._set += 1
        heapq.heappush(self._heap, (at, self._set, timer))
        return timer

    def next(self) -> float | None:
        """The time of the next one."""
        while self._heap and self._heap[0][2].act is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def fire(self, now: float) -> None:
        """Do all that is due."""
        while (at := self.next()) is not None and at <= now:
            timer = heapq.heappop(self._heap)[2]
            act, subject = timer.act, timer.subject
            timer.call_off()
            if act is not None:
                act(subject)
