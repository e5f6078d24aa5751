"""What all streams of a process share, from its start to its end: a read pool, one listener, the hub, the rights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from psycopg_pool import AsyncConnectionPool

from platform_core import channels
from platform_core.database.engine import plain_url
from platform_core.database.listener import Listener
from platform_core.web.services import Services
from stream_api.following.event_log import EventLog
from stream_api.following.hub import Hub
from stream_api.following.measures import Measures
from stream_api.serving.rights import Rights

POOL_SIZE = 4
"""Connections that read events; live events of a run are read once, so that history is what needs them."""

LISTENER = "headrace stream listener"
"""The name of the connection in pg_stat_activity."""


class Streams:
    """The streams of one process. `stopping` is set when its server begins to stop."""

    def __init__(self, services: Services) -> None:
        url = plain_url(services.engine.url.render_as_string(hide_password=False))
        self._heartbeat = services.settings.heartbeat
        self._pool = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=POOL_SIZE,
            open=False,
            timeout=5,
            # The pool's own pauses grow to minutes; given up early, the next read begins again.
            reconnect_timeout=2,
            kwargs={"autocommit": True, "application_name": "headrace stream reader"},
        )
        self.stopping = asyncio.Event()
        self._connected = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.measures = Measures(services.metrics)
        self.hub = Hub(EventLog(self._pool), self.measures)
        self.rights = Rights(services)
        self.listener = Listener(
            url, channels.EVENTS, name=LISTENER, on_payload=self.hub.notify, on_connected=self.hub.wake_all
        )
        services.metrics.stream_followers.set_function(lambda: self.hub.followers)
        services.metrics.stream_lag.set_function(lambda: self.hub.largest_lag)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Connect in the background; at the end every stream ends."""
        await self._pool.open(wait=False)
        work = (self.listener.run(), self.rights.keep_checking(), self._keep_alive())
        tasks = [asyncio.create_task(task) for task in work]
        try:
            yield
        finally:
            self.hub.close()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await self._pool.close()

    async def drain(self) -> None:
        """The server is about to stop: send every client where to go on, and return when all know."""
        self.stopping.set()
        self.hub.close()
        await self._quiet.wait()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """A client is connected for as long as this is held; `drain` waits for its end."""
        self._connected += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._connected -= 1
            if not self._connected:
                self._quiet.set()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            self.hub.pulse()
