"""The caller's secrets: names can be listed, values only written."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Target, TargetKind
from platform_core.database.engine import reading
from platform_core.errors import BadCursor, InvalidRequest, SecretNotFound, SecretSourceAway, Unavailable
from platform_core.identity import secret_store
from platform_core.identity.auth import Principal
from platform_core.identity.secret_store import NAME_PATTERN
from platform_core.limits import DEFAULT_PAGE
from platform_core.secret_sources.listing import list_names
from platform_core.secret_sources.source import SourceName
from platform_core.web.dependencies import (
    AUTH_ERRORS,
    ConnectionDep,
    CursorQuery,
    LimitQuery,
    SecretWriter,
    ServicesDep,
)
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.live.state import StateDep
from trigger_api.secrets.schemas import SecretAnswer, SecretValue
from trigger_api.shared.schemas import PageOf

router = APIRouter(prefix="/api/v1/secrets", tags=["secrets"], route_class=StrictJsonRoute)

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable)
_Name = Annotated[str, Path(pattern=NAME_PATTERN)]


@router.put(
    "/{name}",
    operation_id="put_secret",
    responses={201: {"model": SecretAnswer, "description": "Created"}, **problems(*_ERRORS)},
)
def put_secret(
    principal: SecretWriter,
    services: ServicesDep,
    connection: ConnectionDep,
    origin: OriginDep,
    name: _Name,
    secret: SecretValue,
    response: Response,
) -> SecretAnswer:
    """Create or replace a secret."""
    value = secret.value.get_secret_value()
    is_new = secret_store.put_secret(connection, services.keys, principal.user_id, name, value)
    record(connection, origin.author(principal), Action.SECRET_SET, _target(principal, name), after={"is_new": is_new})
    if is_new:
        response.status_code = 201
    return SecretAnswer(name=name, source=SourceName.STORED)


@router.get("", operation_id="list_secrets", responses=problems(*_ERRORS, BadCursor, SecretSourceAway))
def list_secrets(
    principal: SecretWriter,
    services: ServicesDep,
    state: StateDep,
    limit: LimitQuery = DEFAULT_PAGE,
    cursor: CursorQuery = None,
) -> PageOf[SecretAnswer]:
    """List the names of the caller's secrets, and where each comes from; values are never shown."""
    outside = state.outside_secrets.names(principal.name)
    with reading(services.engine) as connection:
        page = list_names(connection, principal.user_id, outside, limit=limit, cursor=cursor)
    items = [SecretAnswer(name=name, source=source) for name, source in page.items]
    return PageOf(items=items, next_cursor=page.next_cursor)


@router.delete("/{name}", status_code=204, operation_id="delete_secret", responses=problems(*_ERRORS, SecretNotFound))
def delete_secret(principal: SecretWriter, connection: ConnectionDep, origin: OriginDep, name: _Name) -> None:
    """Delete a secret."""
    secret_store.delete_secret(connection, principal.user_id, name)
    record(connection, origin.author(principal), Action.SECRET_DELETED, _target(principal, name))


def _target(principal: Principal, name: str) -> Target:
    return Target(TargetKind.SECRET, name=name, owner_id=principal.user_id)
