"""Which pod executes a run: an advisory lock of PostgreSQL, let go when its connection ends, however that comes about.

A Job may start a second pod for one that was deleted. The lock keeps both from beginning at once; once one has begun,
the run's status keeps every other from beginning at all.
"""

from __future__ import annotations

import hashlib
import time
from typing import Self

import psycopg

_PAUSE = 0.5


class RunClaimed(Exception):
    """Another pod has the run."""


class RunClaim:
    """`with RunClaim(url, run_id):`; raises `RunClaimed` when another holds it for longer than `patience` seconds.

    A database that is away is waited for as long.
    """

    def __init__(self, database_url: str, run_id: str, *, patience: float = 45.0) -> None:
        self._url = database_url
        self._key = int.from_bytes(hashlib.sha256(f"run {run_id}".encode()).digest()[:8], "big", signed=True)
        self._patience = patience

    def __enter__(self) -> Self:
        deadline = time.monotonic() + self._patience
        self._connection = self._connected(deadline)
        while not self._is_taken():
            if time.monotonic() > deadline:
                self._connection.close()
                raise RunClaimed
            time.sleep(_PAUSE)
        return self

    def _connected(self, deadline: float) -> psycopg.Connection:
        """While the database restarts, it is asked again."""
        while True:
            try:
                return psycopg.connect(self._url, autocommit=True, connect_timeout=10)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)

    def __exit__(self, *exc: object) -> None:
        self._connection.close()

    def _is_taken(self) -> bool:
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (self._key,)).fetchone()
        return row is not None and bool(row[0])
