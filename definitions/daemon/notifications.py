"""A loop that follows PostgreSQL's NOTIFY, and after each (re)connection says that something may be new."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import psycopg

from platform_core.database.engine import plain_url
from platform_core.loop import Loop

_SLICE = 1.0
_logger = logging.getLogger("headrace.notifications")


class Notifications:
    """Calls `on_notify(channel)` for each notification, and for each channel once after connecting."""

    def __init__(self, url: str, channels: Sequence[str], on_notify: Callable[[str], None]) -> None:
        self._url = plain_url(url)
        self._channels = channels
        self._on_notify = on_notify
        self.loop = Loop("notifications", self._follow, away=(psycopg.Error,), logger=_logger)

    def _follow(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            for channel in self._channels:
                connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
            for channel in self._channels:
                self._on_notify(channel)
            self.loop.working()
            while not self.loop.closing.is_set():
                for notification in connection.notifies(timeout=_SLICE):
                    self._on_notify(notification.channel)
