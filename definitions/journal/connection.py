"""The connection by which a worker writes and reads journals: psycopg itself, with prepared statements.

SQLAlchemy costs more per statement than the statement. It is opened when first used, and again after a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg

from definitions.shared.patience import Patience
from platform_core.database.engine import plain_url, public_url

T = TypeVar("T")
Connection = psycopg.Connection[Any]


class JournalConnection:
    """One connection, for one thread at a time. Every statement commits by itself."""

    def __init__(self, database_url: str) -> None:
        self._url = plain_url(public_url(database_url))
        self._connection: Connection | None = None

    def do(self, work: Callable[[Connection], T]) -> T:
        """What `work` answers; while the database is away it is called again, so it must be harmless twice."""
        trying: Patience | None = None
        while True:
            try:
                return work(self._connected())
            except psycopg.Error as error:
                self.close()
                trying = trying or Patience()
                if not trying.lasts(error):
                    raise

    def rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        """All rows of a query that may be asked twice."""
        return self.do(lambda connection: connection.execute(query.encode(), parameters, prepare=True).fetchall())

    def close(self) -> None:
        """Let the connection go; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
        return self._connection
