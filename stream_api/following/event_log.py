"""Reading the event table without blocking: at a reader's own pace, and through a restart of the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import UTC
from typing import Any, Protocol

from psycopg import AsyncConnection, InterfaceError, OperationalError
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolClosed

from platform_core.runs.run_event_store import RunEvent
from stream_api.following.backoff import Backoff
from stream_api.following.wire import WireEvent

_log = logging.getLogger(__name__)

_QUERY = """
    SELECT seq, ts, type, node, item, level, message, data
    FROM headrace.run_events WHERE run_id = %s AND seq > %s ORDER BY seq LIMIT %s
"""


class EventReader(Protocol):
    """Where events come from."""

    async def read(self, run_id: str, after: int, limit: int) -> list[WireEvent]:
        """At most `limit` events of the run behind `after`, in order; empty if there is none yet."""
        ...


class EventLog:
    """The event table behind a small pool of connections."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[TupleRow]]) -> None:
        self._pool = pool
        self._queries: set[asyncio.Task[list[TupleRow]]] = set()

    async def read(self, run_id: str, after: int, limit: int) -> list[WireEvent]:
        """As `EventReader` says; while the database is away it waits, because the cursor is still good afterwards."""
        backoff = Backoff()
        while True:
            try:
                rows = await self._undisturbed(self._select(run_id, after, limit))
            except PoolClosed:
                raise
            except (OperationalError, InterfaceError) as error:
                _log.warning("reading events of run %s failed, trying again: %s", run_id, error)
                await asyncio.sleep(backoff.next_delay())
            else:
                return [_event(run_id, row) for row in rows]

    async def _undisturbed(self, query: Coroutine[Any, Any, list[TupleRow]]) -> list[TupleRow]:
        # A query that is cancelled costs its connection, and every client that leaves cancels what it waits for.
        task = asyncio.create_task(query)
        self._queries.add(task)
        task.add_done_callback(self._settle)
        return await asyncio.shield(task)

    def _settle(self, task: asyncio.Task[list[TupleRow]]) -> None:
        self._queries.discard(task)
        if not task.cancelled():
            task.exception()

    async def _select(self, run_id: str, after: int, limit: int) -> list[TupleRow]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_QUERY, (run_id, after, limit))
            return await cursor.fetchall()


def _event(run_id: str, row: tuple[Any, ...]) -> WireEvent:
    seq, ts, kind, node, item, level, message, data = row
    return WireEvent.of(RunEvent(run_id, seq, ts.astimezone(UTC), kind, node, item, level, message, {}), data)
