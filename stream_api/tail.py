"""The newest events of one run, read once for all who follow it in this process.

A follower whose cursor lies in the window takes its events from memory; one that is behind it reads the table at its
own pace. Nothing is queued per follower, so a slow one holds back nobody and costs no memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from itertools import islice

from stream_api.event_log import EventReader
from stream_api.wire import WireEvent

_log = logging.getLogger(__name__)

CHUNK = 250
"""Most events of one read."""

WINDOW_EVENTS = 500
WINDOW_CHARACTERS = 1024 * 1024
"""What the window holds at most; older events are read from the table."""

REREAD = 10.0
"""Seconds after which the table is looked at without a notification, should one have been lost."""


class RunPurged(Exception):
    """The events a follower still lacks were deleted together with their run."""


class Tail:
    """A window of consecutive events `start < seq <= end` that moves with the run."""

    def __init__(self, run_id: str, reader: EventReader, *, reread: float = REREAD) -> None:
        self.run_id = run_id
        self._reader = reader
        self._reread = reread
        self._window: deque[WireEvent] = deque()
        self._characters = 0
        self._start: int | None = None
        self._end = 0
        self._stale = asyncio.Event()
        self._changed = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._closed = False

    def wake(self, seq: int | None = None) -> None:
        """Events up to `seq` are committed (None: nobody knows how many); read them if they are not here yet."""
        if seq is None or seq > self._end:
            self._stale.set()

    def close(self) -> None:
        """End every wait; nothing is read any more."""
        self._closed = True
        if self._pump is not None:
            self._pump.cancel()
        self._announce()

    async def read(self, cursor: int) -> Sequence[WireEvent]:
        """The next events behind the cursor, as soon as there are any; empty once the tail is closed.

        Raises `RunPurged` when they are gone, and whatever made reading impossible.
        """
        while not self._closed:
            if self._failure is not None:
                raise self._failure
            if self._start is None or cursor < self._start:
                events = await self._replay(cursor)
            else:
                events = list(islice(self._window, cursor - self._start, None))
                if not events:
                    await self._changed.wait()
            if events:
                return events
        return ()

    async def _replay(self, cursor: int) -> list[WireEvent]:
        must_exist = self._start is not None
        events = await self._reader.read(self.run_id, cursor, CHUNK)
        if must_exist and not events:
            raise RunPurged(self.run_id)
        if self._start is None and len(events) < CHUNK:
            self._begin(events[-1].seq if events else cursor)
        return events

    def _begin(self, position: int) -> None:
        self._start = self._end = position
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
        events = await self._reader.read(self.run_id, self._end, CHUNK)
        if events:
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

    def _append(self, events: list[WireEvent]) -> None:
        self._window.extend(events)
        self._end = events[-1].seq
        self._characters += sum(len(event.text) for event in events)
        while len(self._window) > WINDOW_EVENTS or self._characters > WINDOW_CHARACTERS:
            oldest = self._window.popleft()
            self._characters -= len(oldest.text)
            self._start = oldest.seq

    def _announce(self) -> None:
        # Every waiter holds the event of its own wait; a fresh one serves those who come later.
        self._changed.set()
        self._changed = asyncio.Event()
