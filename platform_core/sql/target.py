"""Which databases a user's address may name, and connections to them that end when they must.

An address may not lead to a socket or a file of this machine: Headrace's own database trusts its unix socket.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import URL, Engine
from sqlalchemy.pool import NullPool

POSTGRES_OPTIONS = frozenset({"sslmode", "application_name", "target_session_attrs", "channel_binding"})
PRAGMAS = frozenset(
    {"table_info", "table_list", "table_xinfo", "index_list", "index_info", "foreign_keys", "foreign_key_list"}
    | {"user_version", "integrity_check", "quick_check", "read_uncommitted"}
)
SQLITE_BYTES = 1024 * 1024 * 1024
SQLITE_HEAP = 256 * 1024 * 1024
SQLITE_VALUE = 32 * 1024 * 1024
STEPS = 10_000


class SqlFailed(Exception):
    """A statement of a user's failed; the message never has the address."""

    def __init__(self, kind: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retryable = retryable


class Interrupt:
    """The end of one call: its deadline, and how to stop what it waits for."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.reason: str | None = None
        self._stop: Callable[[], None] | None = None
        self._release: Callable[[], None] | None = None
        self._lock = threading.RLock()

    def is_over(self) -> bool:
        """Whether the time is over, or it was stopped."""
        return self.reason is not None or time.monotonic() > self.deadline

    def bind(self, stop: Callable[[], None], release: Callable[[], None] | None = None) -> None:
        """`stop` ends the connection that is open from now on; `release` lets go of what `stop` needs."""
        self._stop, self._release = stop, release

    def release(self) -> None:
        """The connection is closed: from here on there is nothing to stop."""
        with self._lock:
            self._stop = None
        if self._release is not None:
            self._release()

    def fire(self, reason: str) -> None:
        """Stop the call for a reason: timeout or canceled."""
        with self._lock:
            self.reason = self.reason or reason
            if self._stop is not None:
                with suppress(Exception):  # it ended meanwhile, each driver in its own way
                    self._stop()


def engine_of(
    url: str, interrupt: Interrupt, *, sqlite_folder: Path | None, pin: Callable[[str, int], str], timeout: float
) -> Engine:
    """An engine for one connection. Raises `SqlFailed`: sql_bad_url, sql_refused_target."""
    try:
        address = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise SqlFailed("sql_bad_url", "the secret is not a database address such as postgresql://…") from None
    kind = address.drivername.partition("+")[0]
    if kind in ("postgresql", "postgres"):
        connect = _postgres(address, interrupt, pin, timeout)
        return sa.create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    if kind == "sqlite":
        path = _sqlite_path(address, sqlite_folder)
        return sa.create_engine("sqlite://", creator=lambda: _sqlite(path, interrupt), poolclass=NullPool)
    raise SqlFailed("sql_bad_url", f"databases of {kind!r} are not available; postgresql and sqlite are")


def _postgres(address: URL, interrupt: Interrupt, pin: Callable[[str, int], str], timeout: float) -> Callable[[], Any]:
    refused = sorted(address.query.keys() - POSTGRES_OPTIONS)
    if refused:
        raise SqlFailed("sql_bad_url", f"the option {refused[0]!r} is not allowed in an address")
    host, port = address.host or "", address.port or 5432
    if not host or host.startswith(("/", "@")) or "," in host:
        raise SqlFailed("sql_refused_target", "an address names one host, never a socket of this machine")

    def connect() -> Any:
        hostaddr = pin(host, port)
        conninfo = make_conninfo(
            host=host,
            hostaddr=hostaddr,
            port=port,
            user=address.username or "",
            password=address.password or "",
            dbname=address.database or "",
            passfile=os.devnull,
            connect_timeout=max(2, min(10, int(timeout))),
            tcp_user_timeout=int(timeout * 1000) + 5000,
            **{name: str(value) for name, value in address.query.items()},
        )
        connection = psycopg.connect(conninfo)
        connection.server_cursor_factory = _QuietCursor
        same = socket.socket(fileno=os.dup(connection.pgconn.socket))
        interrupt.bind(lambda: _end_postgres(connection, same), same.close)
        return connection

    return connect


class _QuietCursor(psycopg.ServerCursor[Any]):
    """Does not warn when it cannot be closed: its connection was cut, and is never used again."""

    def __del__(self, *_: Any) -> None:
        pass


def _end_postgres(connection: psycopg.Connection[Any], same: socket.socket) -> None:
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=2.0)
    with suppress(OSError):
        same.shutdown(socket.SHUT_RDWR)


def _sqlite_path(address: URL, folder: Path | None) -> Path | None:
    name = address.database or ""
    if address.query:
        raise SqlFailed("sql_bad_url", "a SQLite address has no options")
    if name in ("", ":memory:"):
        return None
    if folder is None:
        raise SqlFailed("sql_refused_target", "SQLite needs files in a folder; this installation's are elsewhere")
    place = folder / name
    is_inside = Path(os.path.realpath(place)).is_relative_to(os.path.realpath(folder))
    if name.startswith("/") or ".." in name.split("/") or not is_inside:
        raise SqlFailed("sql_refused_target", "a SQLite database is a path below your files: sqlite:///data/my.db")
    return place


def _sqlite(path: Path | None, interrupt: Interrupt) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    wait = max(0.0, interrupt.deadline - time.monotonic())
    connection = sqlite3.connect(path or ":memory:", timeout=wait, check_same_thread=False)
    connection.execute(f"PRAGMA hard_heap_limit={SQLITE_HEAP}")
    connection.execute(f"PRAGMA max_page_count={SQLITE_BYTES // 4096}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, SQLITE_VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_authorizer(_authorize)
    connection.set_progress_handler(lambda: int(interrupt.is_over()), STEPS)
    interrupt.bind(connection.interrupt)
    return connection


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_ATTACH:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() not in PRAGMAS:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in ("load_extension", "fts3_tokenizer"):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
