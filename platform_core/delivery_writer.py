"""Deliveries that wait at the same time are stored together: one transaction, one commit, one wait for the disk.

PostgreSQL lets only one transaction at a time commit that notifies, so each on its own would stand in a line.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
import sqlalchemy as sa
from anyio import CapacityLimiter, to_thread
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from platform_core.database import Connection, Engine, reading
from platform_core.delivery_store import ACCEPT, KEEP, Entry, Kept, kept_of, statement_of, store_delivery
from platform_core.errors import Unavailable
from platform_core.tables import JsonText

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
        self._writers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._limiter = CapacityLimiter(WRITERS)

    async def write(self, entry: Entry) -> Kept | None:
        """As `store_delivery`, ended once it is durable. Raises `Unavailable`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Kept | None] = loop.create_future()
        self._waiting.append((entry, future))
        if self._writers < WRITERS:
            self._writers += 1
            task = loop.create_task(self._write_all())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _write_all(self) -> None:
        try:
            await self._write_waiting()
        finally:
            self._writers -= 1

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
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


def store_deliveries(connection: Connection, entries: Sequence[Entry]) -> list[Kept | None]:
    """All of them as `store_delivery` does, in one transaction. Raises `Unavailable`.

    `connection` is in autocommit. Statements go out without waiting for one another's results, past SQLAlchemy,
    whose own work would cost more than PostgreSQL's.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    # In one order everywhere, so that two batches with the same keys cannot wait for each other.
    order = sorted(range(len(entries)), key=lambda at: (entries[at].hook.trigger, entries[at].new.delivery_key))
    rows: dict[int, tuple[Any, ...]] = {}
    try:
        with _together(driver) if len(entries) > 1 else nullcontext():
            sent = [(at, *_sent(driver, entries[at])) for at in order]
        for at, cursor, run_id in sent:
            [(live, identity, *_)] = cursor.fetchall()
            rows[at] = (live, identity, run_id)
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        if driver.closed:
            connection.invalidate(error)
        raise Unavailable("The database cannot be reached; try again in a moment.") from error
    return [kept_of(connection, entry, *rows[at]) for at, entry in enumerate(entries)]


@contextmanager
def _together(driver: psycopg.Connection[Any]) -> Iterator[None]:
    with driver.pipeline(), driver.transaction():
        yield


def _sent(driver: psycopg.Connection[Any], entry: Entry) -> tuple[psycopg.Cursor[Any], str | None]:
    statement, values = statement_of(entry)
    for name in _JSON:
        if values.get(name) is not None:
            values[name] = _encode(values[name])
    return driver.execute(_TEXTS[id(statement)], values, prepare=True), values["delivery_run_id"]


_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode  # as JsonText does
_JSON = [name for name, bound in ACCEPT._bindparams.items() if isinstance(bound.type, JsonText)]


def _text(statement: sa.TextClause) -> bytes:
    # psycopg takes a statement apart anew for each call if it is long.
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    return " ".join(str(statement.compile(dialect=dialect)).split()).encode()


_TEXTS = {id(statement): _text(statement) for statement in (ACCEPT, KEEP)}
