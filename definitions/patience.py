"""Connections for processes that must outlive a restart of the database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from platform_core.database import Connection, DatabaseError, Engine

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


def _connect(engine: Engine, deadline: float) -> Connection:
    while True:
        try:
            return engine.connect()
        except DatabaseError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
