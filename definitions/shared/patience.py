"""Connections for processes that must outlive a restart of the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from platform_core.database.engine import Connection, DatabaseError, Engine, reading
from platform_core.errors import Unavailable

T = TypeVar("T")

PATIENCE = 60.0
_PAUSE = 0.25


@contextmanager
def patiently(engine: Engine, patience: float = PATIENCE) -> Iterator[Connection]:
    """A pooled connection; while the database is away it is asked again for up to `patience` seconds."""
    connection = _connect(engine, time.monotonic() + patience)
    try:
        yield connection
    finally:
        connection.close()


def patient_read(read: Callable[[], T], patience: float = PATIENCE) -> T:
    """What `read` returns; while the database is away, or lost in the midst, it is called again.

    Only for reads: of a statement that was lost it is not known whether it took effect.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return read()
        except (*DatabaseError, Unavailable):
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)


def read_patiently(engine: Engine, read: Callable[[Connection], T]) -> T:
    """What `read` returns from a connection of the engine, with the patience of `patient_read`."""

    def once() -> T:
        with reading(engine) as connection:
            return read(connection)

    return patient_read(once)


def _connect(engine: Engine, deadline: float) -> Connection:
    while True:
        try:
            return engine.connect()
        except DatabaseError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
