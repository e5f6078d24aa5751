"""What all streams of a process share, from its start to its end: a read pool, one listener, the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import anyio
from psycopg_pool import AsyncConnectionPool

from platform_core import channels
from stream_api.event_log import EventLog
from stream_api.follow import follow
from stream_api.hub import Hub
from stream_api.listener import Listener
from stream_api.wire import WireEvent

POOL_SIZE = 4
"""Connections that read events; live events of a run are read once, so that history is what needs them."""


class Streams:
    """The streams of one process. `stopping` is set when its server begins to stop."""

    def __init__(self, url: str) -> None:
        self.stopping = anyio.Event()
        self._pool = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=POOL_SIZE,
            open=False,
            timeout=5,
            # The pool's own pauses grow to minutes; given up early, the next read begins anew.
            reconnect_timeout=2,
            kwargs={"autocommit": True, "application_name": "headrace stream reader"},
        )
        self.hub = Hub(EventLog(self._pool))
        self.listener = Listener(url, channels.EVENTS, on_payload=self.hub.notify, on_connected=self.hub.wake_all)

    def follow(self, run_id: str, after: int) -> AsyncGenerator[Sequence[WireEvent], None]:
        """The events of the run behind `after`; see `stream_api.follow`."""
        return follow(self.hub, run_id, after)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Connect in the background; at the end, and when the server begins to stop, every stream ends."""
        await self._pool.open(wait=False)
        tasks = [asyncio.create_task(self.listener.run()), asyncio.create_task(self._close_in_time())]
        try:
            yield
        finally:
            self.hub.close()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await self._pool.close()

    async def _close_in_time(self) -> None:
        await self.stopping.wait()
        self.hub.close()
