"""API keys: the caller's own, and for administrators those of anybody."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Target, TargetKind
from platform_core.database.engine import Connection
from platform_core.errors import ApiKeyNotFound, BadCursor, InvalidRequest, Unavailable, UserNotFound
from platform_core.identity import api_key_store, user_store
from platform_core.identity.api_key_store import ApiKey
from platform_core.identity.auth import ADMIN_SCOPE, Principal
from platform_core.identity.user_store import NAME_LENGTH, NAME_PATTERN
from platform_core.limits import DEFAULT_PAGE
from platform_core.web.dependencies import AUTH_ERRORS, ConnectionDep, CursorQuery, KeyWriter, LimitQuery
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.api_keys.schemas import ApiKeyAnswer, NewApiKey, NewApiKeyAnswer
from trigger_api.shared.schemas import PageOf

router = APIRouter(prefix="/api/v1/api-keys", tags=["auth"], route_class=StrictJsonRoute)

UserQuery = Annotated[
    str | None,
    Query(pattern=NAME_PATTERN, max_length=NAME_LENGTH, description="Whose keys; another's are for administrators."),
]

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable)


@router.post("", status_code=201, operation_id="create_api_key", responses=problems(*_ERRORS))
def create_api_key(
    principal: KeyWriter, connection: ConnectionDep, origin: OriginDep, new: NewApiKey
) -> NewApiKeyAnswer:
    """Create an API key with some of the caller's scopes."""
    key, text = api_key_store.create_api_key(connection, principal, new.name, new.scopes, new.expires_at)
    target = _target(key, principal.user_id)
    record(connection, origin.author(principal), Action.KEY_CREATED, target, after=_facts(key))
    return NewApiKeyAnswer(**ApiKeyAnswer.of(key).model_dump(), key=text)


@router.get("", operation_id="list_api_keys", responses=problems(*_ERRORS, BadCursor, UserNotFound))
def list_api_keys(
    principal: KeyWriter,
    connection: ConnectionDep,
    user: UserQuery = None,
    limit: LimitQuery = DEFAULT_PAGE,
    cursor: CursorQuery = None,
) -> PageOf[ApiKeyAnswer]:
    """List the caller's API keys, or as an administrator those of a user."""
    page = api_key_store.list_api_keys(connection, _user_id(connection, principal, user), limit=limit, cursor=cursor)
    return PageOf(items=[ApiKeyAnswer.of(key) for key in page.items], next_cursor=page.next_cursor)


def _user_id(connection: Connection, principal: Principal, name: str | None) -> str:
    if name in (None, principal.name):
        return principal.user_id
    principal.demand(ADMIN_SCOPE)
    found = user_store.get_user_by_name(connection, name)
    if found is None:
        raise UserNotFound(f"There is no user {name}.")
    return found.id


@router.delete(
    "/{key_id}", status_code=204, operation_id="delete_api_key", responses=problems(*_ERRORS, ApiKeyNotFound)
)
def delete_api_key(principal: KeyWriter, connection: ConnectionDep, origin: OriginDep, key_id: UUID) -> None:
    """Delete an API key; it stops working at once. An administrator deletes anybody's."""
    key, user_id = api_key_store.delete_api_key(connection, principal, str(key_id))
    record(connection, origin.author(principal), Action.KEY_DELETED, _target(key, user_id), before=_facts(key))


def _target(key: ApiKey, user_id: str) -> Target:
    return Target(TargetKind.KEY, key.id, key.name, user_id)


def _facts(key: ApiKey) -> dict[str, object]:
    return {"scopes": key.scopes, "expires_at": None if key.expires_at is None else key.expires_at.isoformat()}
