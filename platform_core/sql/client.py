"""Users' own databases: one statement with bound parameters, in a transaction of its own, bounded in rows and time.

This has nothing to do with Headrace's database: every call has its own engine and connection, and is closed after.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult

from platform_core.sql.target import Interrupt, SqlFailed, engine_of
from platform_core.sql.values import plain_row, weight_of

MAX_BYTES = 32 * 1024 * 1024
PORTION = 500
BATCH = 1_000
_STREAMED = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:SELECT|VALUES|TABLE)\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class SqlCall:
    """A statement and its bounds; `timeout` is in seconds, for everything. With `batch` it is executed for each row."""

    text: str
    params: Mapping[str, Any] = field(default_factory=dict)
    batch: Sequence[Mapping[str, Any]] | None = None
    max_rows: int = 10_000
    timeout: float = 30.0


@dataclass(frozen=True)
class SqlResult:
    """Rows as JSON objects, and how many rows the statement gave or touched."""

    rows: list[dict[str, Any]]
    row_count: int


class SqlClient:
    """Executes statements for users; safe from any thread.

    `sqlite_folder` is where `sqlite:///name.db` is looked for; `pin(host, port)` gives the address to connect to,
    or raises for a host that may not be reached.
    """

    def __init__(self, *, sqlite_folder: Path | None, pin: Callable[[str, int], str]) -> None:
        self._sqlite_folder = sqlite_folder
        self._pin = pin
        self._lock = threading.RLock()  # a signal handler may cancel while its thread holds it
        self._running: set[Interrupt] = set()

    def execute(self, url: str, call: SqlCall) -> SqlResult:
        """Execute and commit. Raises `SqlFailed`."""
        interrupt = Interrupt(time.monotonic() + call.timeout)
        engine = engine_of(url, interrupt, sqlite_folder=self._sqlite_folder, pin=self._pin, timeout=call.timeout)
        with self._tracked(interrupt, call.timeout), _errors_told(interrupt, call.timeout):
            try:
                with engine.begin() as connection:
                    return _execute(connection, call)
            finally:
                interrupt.release()
                engine.dispose()

    def cancel_all(self) -> None:
        """End every statement that runs; each raises `SqlFailed` canceled in its own thread."""
        with self._lock:
            running = list(self._running)
        for interrupt in running:
            interrupt.fire("canceled")

    @contextmanager
    def _tracked(self, interrupt: Interrupt, timeout: float) -> Iterator[None]:
        timer = threading.Timer(
            timeout + 1.0, interrupt.fire, ["timeout"]
        )  # databases end it themselves a second before
        timer.daemon = True
        timer.start()
        with self._lock:
            self._running.add(interrupt)
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._running.discard(interrupt)


def _execute(connection: Connection, call: SqlCall) -> SqlResult:
    arrays = connection.dialect.name == "postgresql"
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.text("SELECT set_config('statement_timeout', :ms, true)"), {"ms": str(int(call.timeout * 1000))}
        )
    statement = sa.text(call.text)
    if call.batch is not None:
        return _execute_batch(connection, statement, [_bound(row, arrays) for row in call.batch])
    if arrays and _STREAMED.match(call.text):
        connection = connection.execution_options(stream_results=True, max_row_buffer=PORTION)
    result = connection.execute(statement, _bound(call.params, arrays))
    if not result.returns_rows:
        return SqlResult([], max(result.rowcount, 0))
    try:
        rows = _read(result, call.max_rows)
    finally:
        result.close()
    return SqlResult(rows, len(rows))


def _execute_batch(connection: Connection, statement: sa.TextClause, rows: list[dict[str, Any]]) -> SqlResult:
    count = 0
    for start in range(0, len(rows), BATCH):
        result = connection.execute(statement, rows[start : start + BATCH])
        count += max(result.rowcount, 0)
    return SqlResult([], count)


def _read(result: CursorResult[Any], max_rows: int) -> list[dict[str, Any]]:
    names = list(result.keys())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SqlFailed("sql_error", f"two columns are named {twice[0]!r}; give one of them another name")
    rows: list[dict[str, Any]] = []
    weight = 0
    for row in result:
        if len(rows) == max_rows:
            raise SqlFailed("sql_too_large", f"more than {max_rows} rows")
        rows.append(plain_row(names, row))
        weight += weight_of(rows[-1])
        if weight > MAX_BYTES:
            raise SqlFailed("sql_too_large", f"rows of more than {MAX_BYTES} bytes")
    return rows


def _bound(params: Mapping[str, Any], arrays: bool) -> dict[str, Any]:
    """Objects are bound as JSON text, and so are lists where the database has no arrays."""
    return {
        name: _as_text(name, value)
        if isinstance(value, dict)
        or (isinstance(value, list) and (not arrays or any(isinstance(item, dict | list) for item in value)))
        else value
        for name, value in params.items()
    }


def _as_text(name: str, value: Any) -> str:
    try:
        return json.dumps(value)
    except TypeError:
        raise SqlFailed(
            "bad_value", f"the parameter {name!r} has bytes within an object or list; bind them alone"
        ) from None


@contextmanager
def _errors_told(interrupt: Interrupt, timeout: float) -> Iterator[None]:
    """Drivers' errors in our words: never with the address, which holds a password."""
    try:
        yield
    except SqlFailed:
        raise
    except (sa.exc.SQLAlchemyError, UnicodeError, OverflowError) as error:
        reason = interrupt.reason or ("timeout" if interrupt.is_over() else None)
        if reason == "canceled":
            raise SqlFailed("canceled", "the statement was stopped because its run is canceled") from None
        if reason == "timeout" or _state(error) == "57014":
            raise SqlFailed("sql_timeout", f"the statement did not end within {timeout:g} s", retryable=True) from None
        raise _failed(error) from None


def _failed(error: Exception) -> SqlFailed:
    cause = getattr(error, "orig", None) or error
    said = " ".join(str(cause).split("\n")[0].split())[:500]
    if isinstance(error, sa.exc.IntegrityError):
        return SqlFailed("sql_constraint", said)
    state = _state(error)
    if state is not None and state.startswith("28"):
        return SqlFailed("sql_unreachable", "the database refuses the login")
    if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) and getattr(error, "statement", None) is None:
        return SqlFailed("sql_unreachable", "the database cannot be reached, or refuses the login", retryable=True)
    if state is not None and state[:2] in ("08", "40", "53", "57"):
        return SqlFailed("sql_unreachable", f"the database gave up: {said}", retryable=True)
    return SqlFailed("sql_error", said)


def _state(error: Exception) -> str | None:
    with suppress(AttributeError):
        state = error.orig.sqlstate  # type: ignore[attr-defined]  # psycopg's errors have it, sqlite3's do not
        return state if isinstance(state, str) else None
    return None


__all__ = ["SqlCall", "SqlClient", "SqlFailed", "SqlResult"]
