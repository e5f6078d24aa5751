"""Who calls Dagster's UI: an administrator, or nobody."""

from __future__ import annotations

import dataclasses

from starlette.requests import HTTPConnection

from platform_core.database.engine import Connection, transaction
from platform_core.errors import Unauthorized
from platform_core.facts.credential import Credential
from platform_core.identity.auth import ADMIN_SCOPE, Principal, authenticate
from platform_core.identity.session_store import SESSION_COOKIE, session_principal
from platform_core.web.own_pages import demand_own_page
from platform_core.web.services import Services


def administrator(services: Services, connection: HTTPConnection) -> Principal:
    """The administrator whose bearer token or session the request carries, as the database knows them now.

    Raises `Unauthorized`, `TokenExpired` or, for anybody else and for a page that is not ours, `Forbidden`.
    """
    with transaction(services.engine) as database:
        principal = _principal(services, database, connection)
    principal.demand(ADMIN_SCOPE)
    return principal


def _principal(services: Services, database: Connection, connection: HTTPConnection) -> Principal:
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return authenticate(database, services.signing_keys, bearer.strip())
    session_id = connection.cookies.get(SESSION_COOKIE)
    if session_id is None:
        raise Unauthorized("Dagster's UI is for administrators who are signed in.")
    if connection.scope.get("method") not in ("GET", "HEAD"):
        # Dagster's pages know no CSRF token of ours: the browser has to say that the page is of this origin.
        demand_own_page(connection, services.settings.public_url)
    return dataclasses.replace(session_principal(database, session_id), credential=Credential.SESSION)
