"""Connections for processes that must outlive a restart of the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from platform_core.backoff import Backoff
from platform_core.database.engine import Connection, DatabaseError, Engine, is_away, may_pass, reading
from platform_core.errors import Unavailable

T = TypeVar("T")

PATIENCE = 60.0
_logger = logging.getLogger("headrace.database")


class Patience:
    """How long, and with which pauses, one thing is tried again while what keeps it from succeeding may pass."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self._deadline = time.monotonic() + seconds
        self._backoff = Backoff(0.1, 2.0)

    def lasts(self, error: Exception) -> bool:
        """Pause after this error; False at once if it will not pass, or the time is over."""
        if not may_pass(error) or time.monotonic() > self._deadline:
            return False
        if not self._backoff.failures:
            what = "is away" if is_away(error) else "does not do what is asked"
            _logger.warning("The database %s; trying again: %s", what, str(error).partition("\n")[0])
        time.sleep(self._backoff.next_delay())
        return True


@contextmanager
def patiently(engine: Engine, patience: float = PATIENCE) -> Iterator[Connection]:
    """A pooled connection; while the database is away it is asked again for up to `patience` seconds."""
    connection = _connect(engine, Patience(patience))
    try:
        yield connection
    finally:
        connection.close()


def patient_read(read: Callable[[], T], patience: float = PATIENCE) -> T:
    """What `read` returns; while the database is away, or lost in the midst, it is called again.

    Only for reads, and what is harmless twice: of a statement that was lost it is not known whether it took effect.
    """
    trying = Patience(patience)
    while True:
        try:
            return read()
        except (*DatabaseError, Unavailable) as error:
            if not trying.lasts(error):
                raise


def read_patiently(engine: Engine, read: Callable[[Connection], T]) -> T:
    """What `read` returns from a connection of the engine, with the patience of `patient_read`."""

    def once() -> T:
        with reading(engine) as connection:
            return read(connection)

    return patient_read(once)


def _connect(engine: Engine, trying: Patience) -> Connection:
    while True:
        try:
            return engine.connect()
        except DatabaseError as error:
            if not trying.lasts(error):
                raise
