"""Deliveries that wait at the same time are stored together: one transaction, one commit, one wait for the disk.

PostgreSQL lets only one transaction at a time commit that notifies, so each on its own would stand in a line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from anyio import CapacityLimiter, to_thread

from platform_core.database.engine import Engine, reading
from platform_core.errors import Unavailable
from platform_core.triggers.delivery_batch import store_deliveries, store_delivery
from platform_core.triggers.delivery_store import Entry, Kept

LARGEST_BATCH = 50
"""Deliveries of one transaction; more would make the first ones wait for too long."""

WRITERS = 2
"""Transactions at once: while one is stored, what the next ones bring is read and checked."""

_Outcome = Kept | Exception | None


class DeliveryWriter:
    """Writes for one event loop, a batch at a time on each of few threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[tuple[Entry, asyncio.Future[Kept | None]]] = []
        self._writers: set[asyncio.Task[None]] = set()
        self._limiter = CapacityLimiter(WRITERS)

    async def write(self, entry: Entry) -> Kept | None:
        """As `store_delivery`, ended once it is durable. Raises `Unavailable`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Kept | None] = loop.create_future()
        self._waiting.append((entry, future))
        if len(self._writers) < WRITERS:
            self._writers.add(loop.create_task(self._write_waiting()))
        return await future

    async def _write_waiting(self) -> None:
        writer = asyncio.current_task()
        assert writer is not None
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
                await self._write(batch)
        finally:
            # Not by a callback: whoever comes before that would wait for a writer that has ended.
            self._writers.discard(writer)

    async def _write(self, batch: Sequence[tuple[Entry, asyncio.Future[Kept | None]]]) -> None:
        found = await to_thread.run_sync(self._store, [entry for entry, _ in batch], limiter=self._limiter)
        for (_, future), outcome in zip(batch, found, strict=True):
            if future.done():
                continue  # whoever called has gone
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def _store(self, entries: Sequence[Entry]) -> Sequence[_Outcome]:
        try:
            with reading(self._engine) as connection:
                return store_deliveries(connection, entries)
        except Unavailable as error:
            return [Unavailable(error.detail) for _ in entries]
        except Exception:
            # One that cannot be stored must not take the others with it; each is told what is wrong with its own.
            return [self._store_one(entry) for entry in entries]

    def _store_one(self, entry: Entry) -> _Outcome:
        try:
            with reading(self._engine) as connection:
                return store_delivery(connection, entry)
        except Exception as error:  # the caller's to handle
            return error
