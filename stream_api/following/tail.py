"""The newest events of one run, read once for all who follow it in this process.

A follower whose cursor lies in the window takes its events from memory; one that is behind it reads the table at its
own pace. Nothing is queued per follower, so a slow one holds back nobody and costs no memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import islice

from stream_api.following.batch import Batch
from stream_api.following.event_log import EventReader
from stream_api.following.follower import PURGED, STOPPING, Follower
from stream_api.following.measures import Measures
from stream_api.following.wire import WireEvent

_log = logging.getLogger(__name__)

CHUNK = 250
"""Most events of one read."""

WINDOW_EVENTS = 500
WINDOW_BYTES = 1024 * 1024
"""What the window holds at most; older events are read from the table."""

REREAD = 10.0
"""Seconds after which the table is looked at without a notification, should one have been lost."""

GATHER_PER_FOLLOWER = 50e-6
GATHER_LONGEST = 0.05
"""Seconds that events may gather before they are given out: sending to a thousand followers costs more than that."""


class Tail:
    """A window of consecutive events `start < seq <= end` that moves with the run."""

    def __init__(self, run_id: str, reader: EventReader, measures: Measures, *, reread: float = REREAD) -> None:
        self.run_id = run_id
        self.followers: set[Follower] = set()
        self.end = 0
        self._reader = reader
        self._measures = measures
        self._reread = reread
        self._window: deque[WireEvent] = deque()
        self._bytes = 0
        self._start: int | None = None
        self._shared: tuple[int, Batch] | None = None
        self._stale = asyncio.Event()
        self._reads: dict[int, asyncio.Task[list[WireEvent]]] = {}
        self._pump: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    def wake(self, seq: int | None = None) -> None:
        """Events up to `seq` are committed (None: nobody knows how many); read them if they are not here yet."""
        if seq is None or seq > self.end:
            self._stale.set()

    def close(self) -> None:
        """End every stream; nothing is read any more."""
        if self._pump is not None:
            self._pump.cancel()
        for follower in self.followers:
            follower.end(STOPPING)

    async def read(self, follower: Follower) -> Batch | None:
        """The next events behind the follower's cursor; None when it was woken and there are none.

        Raises whatever made reading impossible.
        """
        if self._failure is not None:
            raise self._failure
        while self._start is None or follower.cursor < self._start:
            batch = await self._replay(follower)
            if batch is not None or follower.ending is not None:
                return batch
        # Looked at after a replay too: what was announced while it read the table is not announced again.
        batch = self._in_window(follower.cursor)
        if batch is None and follower.ending is None:
            await follower.wait()
            if self._failure is not None:
                raise self._failure
            batch = self._in_window(follower.cursor)
        return batch

    def _in_window(self, cursor: int) -> Batch | None:
        if self._start is None or not self._start <= cursor < self.end:
            return None
        # Followers at the same place, which is nearly all of them, share one batch and its encoded frames.
        if self._shared is None or self._shared[0] != cursor or self._shared[1].end != self.end:
            self._shared = cursor, Batch(list(islice(self._window, cursor - self._start, None)))
        return self._shared[1]

    async def _replay(self, follower: Follower) -> Batch | None:
        fell_behind = self._start is not None
        if fell_behind:
            self._measures.fallbacks.inc()
        cursor = follower.cursor
        reading = self._reads.get(cursor)
        if reading is None:
            # Many come at once, after a restart for instance, and most of them with the same cursor.
            reading = self._reads[cursor] = asyncio.create_task(self._reader.read(self.run_id, cursor, CHUNK))
            reading.add_done_callback(lambda _: self._reads.pop(cursor))
        events = await asyncio.shield(reading)
        if fell_behind and not events:
            follower.end(PURGED)
        if self._start is None and len(events) < CHUNK:
            self._begin(cursor, events)
        return Batch(events) if events else None

    def _begin(self, cursor: int, events: list[WireEvent]) -> None:
        self._start = self.end = cursor
        if events:
            self._append(events)
        self._pump = asyncio.create_task(self._keep_reading(), name=f"tail of run {self.run_id}")

    async def _keep_reading(self) -> None:
        try:
            while not await self._advance():
                pass
        except Exception as error:
            _log.exception("following run %s failed", self.run_id)
            self._failure = error
            self._announce()

    async def _advance(self) -> bool:
        """Read once what is new, then wait until there may be more. True after the final event."""
        self._stale.clear()
        events = await self._reader.read(self.run_id, self.end, CHUNK)
        if events:
            self._measures.arrived(events)
            self._append(events)
            self._announce()
            if events[-1].is_final:
                return True
        if len(events) < CHUNK:
            await self._wait_until_stale()
        return False

    async def _wait_until_stale(self) -> None:
        try:
            async with asyncio.timeout(self._reread):
                await self._stale.wait()
        except TimeoutError:
            return
        gathering = min(GATHER_LONGEST, GATHER_PER_FOLLOWER * len(self.followers))
        if gathering > 0.001:
            await asyncio.sleep(gathering)

    def _append(self, events: list[WireEvent]) -> None:
        self._window.extend(events)
        self.end = events[-1].seq
        self._bytes += sum(len(event.frame) for event in events)
        while len(self._window) > WINDOW_EVENTS or self._bytes > WINDOW_BYTES:
            oldest = self._window.popleft()
            self._bytes -= len(oldest.frame)
            self._start = oldest.seq

    def _announce(self) -> None:
        for follower in self.followers:
            follower.wake()
