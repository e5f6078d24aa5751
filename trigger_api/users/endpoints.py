"""Users, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from platform_core.errors import BadCursor, InvalidRequest, LastAdmin, Unavailable, UserExists, UserNotFound
from platform_core.identity import user_store
from platform_core.identity.user_store import NAME_LENGTH, NAME_PATTERN
from platform_core.web.dependencies import AUTH_ERRORS, Admin, ConnectionDep, CursorQuery, LimitQuery
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.shared.schemas import PageOf
from trigger_api.users.schemas import NewUser, UserAnswer, UserChange

router = APIRouter(prefix="/api/v1/users", tags=["users"], route_class=StrictJsonRoute)

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable)


@router.post("", status_code=201, operation_id="create_user", responses=problems(*_ERRORS, UserExists))
def create_user(_: Admin, connection: ConnectionDep, new: NewUser) -> UserAnswer:
    """Create a user."""
    return UserAnswer.of(user_store.create_user(connection, new.name, new.password, new.role))


@router.get("", operation_id="list_users", responses=problems(*_ERRORS, BadCursor))
def list_users(
    _: Admin, connection: ConnectionDep, limit: LimitQuery = 50, cursor: CursorQuery = None
) -> PageOf[UserAnswer]:
    """List users by name."""
    page = user_store.list_users(connection, limit=limit, cursor=cursor)
    return PageOf(items=[UserAnswer.of(user) for user in page.items], next_cursor=page.next_cursor)


@router.patch("/{name}", operation_id="change_user", responses=problems(*_ERRORS, UserNotFound, LastAdmin))
def change_user(
    _: Admin,
    connection: ConnectionDep,
    name: Annotated[str, Path(pattern=NAME_PATTERN, max_length=NAME_LENGTH)],
    change: UserChange,
) -> UserAnswer:
    """Change a user's role, password or limit of concurrent runs, or disable them."""
    if "max_concurrent_runs" in change.model_fields_set:
        user_store.limit_user(connection, name, change.max_concurrent_runs)
    return UserAnswer.of(
        user_store.change_user(connection, name, role=change.role, password=change.password, disabled=change.disabled)
    )
