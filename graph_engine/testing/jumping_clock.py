"""A clock for tests: time passes only when the engine has nothing else to do, and then at once."""

from __future__ import annotations

import queue
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class JumpingClock:
    """`patience` is how many real seconds other threads get before time jumps to what is due."""

    def __init__(self, start: float = 1_000_000.0, patience: float = 0.005) -> None:
        self.time = start
        self._patience = patience

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def receive(self, inbox: SimpleQueue[T], seconds: float | None) -> T:
        if seconds is None:
            return inbox.get(timeout=60)
        try:
            return inbox.get(timeout=self._patience)
        except queue.Empty:
            self.time += seconds
            raise
