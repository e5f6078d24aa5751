"""The one connection of a process that listens to a PostgreSQL channel, kept up for as long as the process lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from psycopg import AsyncConnection, Error, sql

from platform_core.backoff import Backoff

_log = logging.getLogger(__name__)


class Listener:
    """Passes on every notification of a channel, and says when some may have been missed.

    `name` is that of the connection in pg_stat_activity.
    """

    def __init__(
        self,
        url: str,
        channel: str,
        *,
        name: str,
        on_payload: Callable[[str], None],
        on_connected: Callable[[], None],
    ) -> None:
        self._url = url
        self._name = name
        self._channel = channel
        self._on_payload = on_payload
        self._on_connected = on_connected
        self._backoff = Backoff()
        self.is_connected = False

    async def run(self) -> None:
        """Listen until canceled; a lost connection is opened again with back-off."""
        while True:
            try:
                await self._listen()
            except (Error, OSError) as error:
                _log.warning("the listening connection was lost, connecting again: %s", error)
            finally:
                self.is_connected = False
            await asyncio.sleep(self._backoff.next_delay())

    async def _listen(self) -> None:
        connection = await AsyncConnection.connect(
            self._url,
            autocommit=True,
            application_name=self._name,
            connect_timeout=5,
            # A peer that vanished without a word is noticed in half a minute, not in two hours.
            keepalives_idle=15,
            keepalives_interval=5,
            keepalives_count=3,
        )
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            self.is_connected = True
            self._backoff.reset()
            self._on_connected()
            async for notification in connection.notifies():
                self._on_payload(notification.payload)
