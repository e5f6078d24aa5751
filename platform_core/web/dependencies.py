"""What endpoints declare to get: the services, one transaction, the principal with a scope, a page of a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from sqlalchemy.engine import Connection

from platform_core.database.engine import reading, transaction
from platform_core.errors import Forbidden, TokenExpired, Unauthorized
from platform_core.identity.auth import Principal, authenticate
from platform_core.web.services import Services, services_of

AUTH_ERRORS = (Unauthorized, TokenExpired, Forbidden)
"""What any route with a principal can raise."""


# Asynchronous although it waits for nothing: a plain function would cost a change of threads.
async def _services(request: Request) -> Services:
    return services_of(request)


ServicesDep = Annotated[Services, Depends(_services)]


def _connection(services: ServicesDep) -> Iterator[Connection]:
    with transaction(services.engine) as connection:
        yield connection


# Function scope: committed before the answer is sent, so that nothing is acknowledged that was not stored.
ConnectionDep = Annotated[Connection, Depends(_connection, scope="function")]

_bearer = OAuth2PasswordBearer(
    tokenUrl="/api/v1/auth/token", auto_error=False, description="A token of auth/token, or an API key."
)
BearerDep = Annotated[str | None, Depends(_bearer)]
"""The bearer token or API key of the request, unchecked; for routes that take other credentials too."""


def authenticated(needed: SecurityScopes, services: ServicesDep, bearer: BearerDep) -> Principal:
    """The caller; raises `Unauthorized`, `TokenExpired` or, lacking a scope, `Forbidden`.

    It reads in a transaction of its own, so that a slow endpoint does not hold a connection from the start.
    """
    if bearer is None:
        raise Unauthorized("This needs a bearer token: Authorization: Bearer ...")
    with reading(services.engine) as connection:
        principal = authenticate(connection, services.keys, bearer)
    for scope in needed.scopes:
        principal.demand(scope)
    return principal


PrincipalDep = Annotated[Principal, Security(authenticated)]
GraphReader = Annotated[Principal, Security(authenticated, scopes=["graphs:read"])]
GraphWriter = Annotated[Principal, Security(authenticated, scopes=["graphs:write"])]
RunReader = Annotated[Principal, Security(authenticated, scopes=["runs:read"])]
RunWriter = Annotated[Principal, Security(authenticated, scopes=["runs:write"])]
SecretWriter = Annotated[Principal, Security(authenticated, scopes=["secrets:write"])]
KeyWriter = Annotated[Principal, Security(authenticated, scopes=["keys:write"])]
Admin = Annotated[Principal, Security(authenticated, scopes=["admin"])]

LimitQuery = Annotated[int, Query(ge=1, le=200, description="Most items on the page.")]
CursorQuery = Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the page before.")]
