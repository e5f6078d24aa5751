"""The caller's API keys."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from platform_core.errors import ApiKeyNotFound, BadCursor, InvalidRequest, Unavailable
from platform_core.identity import api_key_store
from platform_core.web.dependencies import AUTH_ERRORS, ConnectionDep, CursorQuery, KeyWriter, LimitQuery
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.api_keys.schemas import ApiKeyAnswer, NewApiKey, NewApiKeyAnswer
from trigger_api.shared.schemas import PageOf

router = APIRouter(prefix="/api/v1/api-keys", tags=["auth"], route_class=StrictJsonRoute)

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable)


@router.post("", status_code=201, operation_id="create_api_key", responses=problems(*_ERRORS))
def create_api_key(principal: KeyWriter, connection: ConnectionDep, new: NewApiKey) -> NewApiKeyAnswer:
    """Create an API key with some of the caller's scopes."""
    key, text = api_key_store.create_api_key(connection, principal, new.name, new.scopes, new.expires_at)
    return NewApiKeyAnswer(**ApiKeyAnswer.of(key).model_dump(), key=text)


@router.get("", operation_id="list_api_keys", responses=problems(*_ERRORS, BadCursor))
def list_api_keys(
    principal: KeyWriter, connection: ConnectionDep, limit: LimitQuery = 50, cursor: CursorQuery = None
) -> PageOf[ApiKeyAnswer]:
    """List the caller's API keys."""
    page = api_key_store.list_api_keys(connection, principal.user_id, limit=limit, cursor=cursor)
    return PageOf(items=[ApiKeyAnswer.of(key) for key in page.items], next_cursor=page.next_cursor)


@router.delete(
    "/{key_id}", status_code=204, operation_id="delete_api_key", responses=problems(*_ERRORS, ApiKeyNotFound)
)
def delete_api_key(principal: KeyWriter, connection: ConnectionDep, key_id: UUID) -> None:
    """Delete an API key; it stops working at once."""
    api_key_store.delete_api_key(connection, principal.user_id, str(key_id))
