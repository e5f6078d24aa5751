"""An event log in memory: the same interface as the table's reader, with a gate to hold reads back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from platform_core.runs.run_event_store import RunEvent
from stream_api.following.batch import Batch
from stream_api.following.wire import WireEvent

RUN = "run-1"


def event(seq: int, kind: str = "log", message: str = "hello") -> WireEvent:
    """An event of the run with this seq."""
    return WireEvent.of(RunEvent(RUN, seq, datetime(2026, 1, 1, tzinfo=UTC), kind, None, None, "info", message, {}))


def seqs(batch: Batch | None) -> list[int]:
    """Which events a batch has."""
    assert batch is not None
    return [event.seq for event in batch.events]


class MemoryLog:
    """Events of one run; `reads` counts how often it was asked."""

    def __init__(self, count: int = 0) -> None:
        self.events = [event(seq) for seq in range(1, count + 1)]
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def append(self, kind: str = "log", message: str = "hello") -> int:
        """One more event; returns its seq."""
        self.events.append(event(len(self.events) + 1, kind, message))
        return len(self.events)

    async def read(self, run_id: str, after: int, limit: int) -> list[WireEvent]:
        self.reads += 1
        found = [event for event in self.events if event.seq > after][:limit]
        gate = self.gate
        await gate.wait()
        await asyncio.sleep(0)
        return found


async def settle() -> None:
    """Let every task run until it waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)
