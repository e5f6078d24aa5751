"""A thread that follows PostgreSQL's NOTIFY, and after each (re)connection says that something may be new."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import psycopg

from platform_core.database.engine import plain_url

_PAUSE = 0.5
_SLICE = 1.0
_logger = logging.getLogger("headrace.notifications")


class Notifications:
    """Calls `on_notify(channel)` for each notification, and for each channel once after connecting."""

    def __init__(self, url: str, channels: Sequence[str], on_notify: Callable[[str], None]) -> None:
        self._url = plain_url(url)
        self._channels = channels
        self._on_notify = on_notify
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except psycopg.Error as error:
                _logger.warning("The database is away (%s); connecting again.", str(error).strip())
                self._stop.wait(_PAUSE)

    def _follow(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            for channel in self._channels:
                connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
            for channel in self._channels:
                self._on_notify(channel)
            while not self._stop.is_set():
                for notification in connection.notifies(timeout=_SLICE):
                    self._on_notify(notification.channel)
