"""Who calls Dagster's UI: an administrator, or nobody."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from platform_core.database.engine import reading
from platform_core.errors import Unauthorized
from platform_core.identity.auth import ADMIN_SCOPE, Principal, authenticate
from platform_core.web.services import Services


def administrator(services: Services, connection: HTTPConnection) -> Principal:
    """The administrator whose credentials the request carries, as the database knows them now.

    Raises `Unauthorized`, `TokenExpired` or, for anybody else, `Forbidden`.
    """
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("Dagster's UI is for administrators who are signed in.")
    with reading(services.engine) as database:
        principal = authenticate(database, services.keys, bearer.strip())
    principal.demand(ADMIN_SCOPE)
    return principal
