"""Users, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Target, TargetKind
from platform_core.errors import BadCursor, InvalidRequest, LastAdmin, Unavailable, UserExists, UserNotFound
from platform_core.identity import user_store
from platform_core.identity.user_store import NAME_LENGTH, NAME_PATTERN, User
from platform_core.limits import DEFAULT_PAGE
from platform_core.web.dependencies import AUTH_ERRORS, Admin, ConnectionDep, CursorQuery, LimitQuery
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.shared.schemas import PageOf
from trigger_api.users.schemas import NewUser, UserAnswer, UserChange

router = APIRouter(prefix="/api/v1/users", tags=["users"], route_class=StrictJsonRoute)

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable)


@router.post("", status_code=201, operation_id="create_user", responses=problems(*_ERRORS, UserExists))
def create_user(admin: Admin, connection: ConnectionDep, origin: OriginDep, new: NewUser) -> UserAnswer:
    """Create a user."""
    user = user_store.create_user(connection, new.name, new.password, new.role)
    record(connection, origin.author(admin), Action.USER_CREATED, _target(user), after=_facts(user))
    return UserAnswer.of(user)


@router.get("", operation_id="list_users", responses=problems(*_ERRORS, BadCursor))
def list_users(
    _: Admin, connection: ConnectionDep, limit: LimitQuery = DEFAULT_PAGE, cursor: CursorQuery = None
) -> PageOf[UserAnswer]:
    """List users by name."""
    page = user_store.list_users(connection, limit=limit, cursor=cursor)
    return PageOf(items=[UserAnswer.of(user) for user in page.items], next_cursor=page.next_cursor)


@router.patch("/{name}", operation_id="change_user", responses=problems(*_ERRORS, UserNotFound, LastAdmin))
def change_user(
    admin: Admin,
    connection: ConnectionDep,
    origin: OriginDep,
    name: Annotated[str, Path(pattern=NAME_PATTERN, max_length=NAME_LENGTH)],
    change: UserChange,
) -> UserAnswer:
    """Change a user's role, password or limit of concurrent runs, or disable them."""
    present = user_store.get_user_by_name(connection, name)
    if "max_concurrent_runs" in change.model_fields_set:
        user_store.limit_user(connection, name, change.max_concurrent_runs)
    user = user_store.change_user(
        connection, name, role=change.role, password=change.password, disabled=change.disabled
    )
    before = None if present is None else _facts(present)
    after = {**_facts(user), "password_changed": change.password is not None}
    record(connection, origin.author(admin), Action.USER_CHANGED, _target(user), before=before, after=after)
    return UserAnswer.of(user)


def _target(user: User) -> Target:
    return Target(TargetKind.USER, user.id, user.name, user.id)


def _facts(user: User) -> dict[str, object]:
    return {
        "role": user.role,
        "disabled": user.disabled_at is not None,
        "max_concurrent_runs": user.max_concurrent_runs,
    }
