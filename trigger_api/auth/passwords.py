"""A name and a password of a request: counted before they are looked at, and few at once."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Depends

from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Target, TargetKind
from platform_core.database.engine import Connection
from platform_core.errors import BadCredentials
from platform_core.identity.auth import Principal, log_in
from platform_core.identity.login_rates import demand_login, forgive_login
from platform_core.identity.user_store import is_user_name
from platform_core.settings import Settings
from platform_core.web.origin import Origin


def _turn() -> Iterator[None]:
    yield


# A password check is slow on purpose; a crowd of them must not take the threads and cores of all other requests.
LoginTurn = Depends(_turn, scope="function", max_concurrency=2)


def proven(connection: Connection, settings: Settings, origin: Origin, name: str, password: str) -> Principal:
    """Whose name and password these are; `connection` commits each statement, so that failures stay counted.

    Raises `BadCredentials`, `TooManyRequests`.
    """
    demand_login(connection, settings, name, origin.address)
    try:
        principal = log_in(connection, name, password)
    except BadCredentials:
        record(connection, origin.nobody(), Action.LOGIN_REFUSED, _tried(name))
        raise
    forgive_login(connection, settings, name, origin.address)
    target = Target(TargetKind.USER, principal.user_id, principal.name, principal.user_id)
    record(connection, origin.author(principal), Action.LOGIN_ACCEPTED, target)
    return principal


def _tried(name: str) -> Target:
    """The user that somebody wanted to be; what no user can be called may be a password in the wrong field."""
    return Target(TargetKind.USER, name=name if is_user_name(name) else None)
