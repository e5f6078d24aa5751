"""A name and a password of a request: counted before they are looked at, and few at once."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Depends, Request

from platform_core.database.engine import Connection
from platform_core.identity.auth import Principal, log_in
from platform_core.identity.login_rates import demand_login, forgive_login
from platform_core.settings import Settings


def _turn() -> Iterator[None]:
    yield


# A password check is slow on purpose; a crowd of them must not take the threads and cores of all other requests.
LoginTurn = Depends(_turn, scope="function", max_concurrency=2)


def proven(connection: Connection, settings: Settings, request: Request, name: str, password: str) -> Principal:
    """Whose name and password these are; `connection` commits each statement, so that failures stay counted.

    Raises `BadCredentials`, `TooManyRequests`.
    """
    address = request.client.host if request.client else None
    demand_login(connection, settings, name, address)
    principal = log_in(connection, name, password)
    forgive_login(connection, settings, name, address)
    return principal
