"""The clocks of this machine, as the engine asks for them."""

from __future__ import annotations

import time
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class SystemClock:
    """Implements `graph_engine.given.clock.Clock`."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def receive(self, inbox: SimpleQueue[T], seconds: float | None) -> T:
        return inbox.get(timeout=seconds)
