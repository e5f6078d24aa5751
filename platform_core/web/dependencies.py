"""What endpoints declare to get: the services, one transaction, the principal with a scope, a page of a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyCookie, OAuth2PasswordBearer, SecurityScopes
from sqlalchemy.engine import Connection

from platform_core.database.engine import reading, transaction
from platform_core.errors import Forbidden, ForeignPage, TokenExpired, Unauthorized
from platform_core.identity.auth import Principal, authenticate
from platform_core.identity.session_store import SESSION_COOKIE, session_principal
from platform_core.identity.signing_keys import SigningKeys
from platform_core.limits import LARGEST_CURSOR, LARGEST_PAGE
from platform_core.web.own_pages import demand_harmless
from platform_core.web.services import Services, services_of

AUTH_ERRORS = (Unauthorized, TokenExpired, Forbidden, ForeignPage)
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

_session = APIKeyCookie(name=SESSION_COOKIE, auto_error=False, description="The session of auth/session.")
SessionDep = Annotated[str | None, Depends(_session)]
"""The id of the browser's session that the request carries, unchecked; a bearer token goes before it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request carries to say who calls, and the scopes that its route needs.

    That is a bearer token or API key; or, if `bearer` is None, the id of a browser's session.
    """

    bearer: str | None
    session_id: str
    keys: SigningKeys
    scopes: Sequence[str]

    def principal(self, connection: Connection) -> Principal:
        """The caller; raises `Unauthorized`, `TokenExpired` or, lacking a scope, `Forbidden`."""
        if self.bearer is None:
            principal = session_principal(connection, self.session_id)
        else:
            principal = authenticate(connection, self.keys, self.bearer)
        for scope in self.scopes:
            principal.demand(scope)
        return principal


async def _credentials(
    needed: SecurityScopes, request: Request, services: ServicesDep, bearer: BearerDep, session_id: SessionDep
) -> Credentials:
    if bearer is None and session_id is None:
        raise Unauthorized("This needs a bearer token (Authorization: Bearer ...) or a browser's session.")
    if bearer is None and session_id is not None:
        demand_harmless(request, session_id, services.settings.public_url)
    return Credentials(bearer, session_id or "", services.signing_keys, needed.scopes)


def authenticated(services: ServicesDep, credentials: Annotated[Credentials, Security(_credentials)]) -> Principal:
    """The caller; raises `Unauthorized`, `TokenExpired` or, lacking a scope, `Forbidden`.

    It reads in a transaction of its own, so that a slow endpoint does not hold a connection from the start.
    """
    with reading(services.engine) as connection:
        return credentials.principal(connection)


RunWriterCredentials = Annotated[Credentials, Security(_credentials, scopes=["runs:write"])]
"""For routes on a hot path, which ask who calls on the thread and the connection that they use anyway."""

PrincipalDep = Annotated[Principal, Security(authenticated)]
GraphReader = Annotated[Principal, Security(authenticated, scopes=["graphs:read"])]
GraphWriter = Annotated[Principal, Security(authenticated, scopes=["graphs:write"])]
RunReader = Annotated[Principal, Security(authenticated, scopes=["runs:read"])]
RunWriter = Annotated[Principal, Security(authenticated, scopes=["runs:write"])]
SecretWriter = Annotated[Principal, Security(authenticated, scopes=["secrets:write"])]
AuditReader = Annotated[Principal, Security(authenticated, scopes=["audit:read"])]
KeyWriter = Annotated[Principal, Security(authenticated, scopes=["keys:write"])]
Admin = Annotated[Principal, Security(authenticated, scopes=["admin"])]

LimitQuery = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Most items on the page.")]
CursorQuery = Annotated[str | None, Query(max_length=LARGEST_CURSOR, description="`next_cursor` of the page before.")]
