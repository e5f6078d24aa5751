"""Engines and the one transaction scope. Drivers' connection errors become `Unavailable` here and nowhere else."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from platform_core.errors import Unavailable

__all__ = [
    "Connection",
    "DatabaseError",
    "Engine",
    "build_engine",
    "driver_url",
    "is_away",
    "may_pass",
    "ping",
    "plain_url",
    "public_url",
    "reading",
    "transaction",
]


DatabaseError = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
"""What a lost, unreachable or overstrained database raises; for `except` clauses."""

_GONE = ("08", "57P")
"""SQLSTATEs, or their beginnings, of a connection that is lost or was never made."""
_PASSING = ("40", "53", "55", "57", "58")
"""Of what the server cannot do at present: conflicts, disk and memory, locks, timeouts, the system below it."""
_REASONS = {
    "53100": "its disk is full",
    "53200": "it is out of memory",
    "53300": "it has too many connections",
    "57014": "a statement took too long",
}


def is_away(error: Exception) -> bool:
    """Whether the database cannot be reached, or was lost; if not, it refused something on a live connection.

    Of errors of SQLAlchemy and of psycopg itself.
    """
    if isinstance(error, sa.exc.DBAPIError):
        state = _state(error)
        return error.connection_invalidated or state is None or state.startswith(_GONE)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        state = error.sqlstate
        return state is None or state.startswith(_GONE)
    return isinstance(error, (Unavailable, sa.exc.TimeoutError))


def may_pass(error: Exception) -> bool:
    """Whether the same statement may succeed later."""
    if is_away(error):
        return True
    state = _state(error)
    known = (*DatabaseError, psycopg.OperationalError, psycopg.InterfaceError)
    return isinstance(error, known) and state is not None and state.startswith(_PASSING)


def _state(error: Exception) -> str | None:
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None)


def driver_url(url: str) -> str:
    """`postgres://` or `postgresql://` with the psycopg 3 driver named, as SQLAlchemy wants it."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgres", "postgresql"}:
        raise ValueError("HEADRACE_DATABASE_URL must begin with postgresql://")
    return f"postgresql+psycopg://{rest}"


def plain_url(url: str) -> str:
    """The same address as libpq and psycopg take it."""
    return "postgresql://" + driver_url(url).partition("://")[2]


def public_url(url: str) -> str:
    """The same address, by which unqualified names, as those of Dagster's tables, mean the schema `public`.

    PostgreSQL looks first in the schema that is named as the role: a role `headrace` would find our tables.
    """
    given = sa.make_url(driver_url(url))
    if given.username != "headrace" or "options" in given.query:
        return url
    return given.update_query_dict({"options": "-csearch_path=public"}).render_as_string(hide_password=False)


def build_engine(url: str, *, pool_size: int = 5, max_overflow: int = 15, **options: Any) -> Engine:
    """A pooled engine that checks a connection before it lends it, so that a database restart is survived."""
    options.setdefault("connect_args", {"connect_timeout": 5})
    engine = sa.create_engine(driver_url(url), pool_size=pool_size, max_overflow=max_overflow, **options)

    # What SQLAlchemy's `pool_pre_ping` does, without a round trip for each use: a server that ends a connection says
    # so, and a connection that nobody uses learns nothing else.
    @sa.event.listens_for(engine, "checkout")
    def check(driver: psycopg.Connection[Any], *_: object) -> None:
        if _has_news(driver) and not _answers(engine, driver):
            raise sa.exc.InvalidatePoolError

    return engine


def _has_news(driver: psycopg.Connection[Any]) -> bool:
    try:
        socket = select.poll()
        socket.register(driver.pgconn.socket, select.POLLIN)
        return bool(socket.poll(0))
    except psycopg.OperationalError:  # closed on our side
        return True


def _answers(engine: Engine, driver: psycopg.Connection[Any]) -> bool:
    try:
        return engine.dialect.do_ping(driver)  # type: ignore[arg-type]  # SQLAlchemy's protocol of all drivers
    except psycopg.Error:
        return False


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One connection, one transaction: committed at the end, rolled back on any error.

    Raises `Unavailable` when the database cannot be reached, is lost or is overstrained (disk full, a lock, a
    timeout); then nothing was committed for sure only if the loss came before the commit, which is why every write
    that it guards is idempotent by a key.
    """
    with _losses_reported(), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One connection for short, independent reads: each statement stands alone, so no round trip begins or ends it.

    Raises `Unavailable` when the database cannot be reached, is lost or is overstrained.
    """
    with _losses_reported(), engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def _losses_reported() -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        if is_away(error):
            raise Unavailable("The database cannot be reached; try again in a moment.") from error
        if may_pass(error):
            reason = _REASONS.get(_state(error) or "", f"SQLSTATE {_state(error)}")
            raise Unavailable(f"The database cannot do this now: {reason}; try again in a moment.") from error
        raise


def ping(engine: Engine) -> None:
    """Raise `Unavailable` unless the database answers."""
    with transaction(engine) as connection:
        connection.execute(sa.text("SELECT 1"))
