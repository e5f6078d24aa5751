"""Users: who may log in and own things."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from platform_core import channels
from platform_core.database.pagination import Page, decode_cursor, encode_cursor
from platform_core.database.tables import users
from platform_core.errors import LastAdmin, UserExists, UserNotFound
from platform_core.identity.auth import hash_password
from platform_core.identity.epoch import end_credentials
from platform_core.limits import DEFAULT_PAGE

NAME_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
NAME_LENGTH = 40

FIRST_ADMINISTRATOR = "admin"
"""The user that `headrace up` and `prepare` make: who runs this installation."""


@dataclass(frozen=True)
class User:
    """A user without the password."""

    id: str
    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None
    max_concurrent_runs: int | None = None
    """The user's own limit; None: that of all users."""


_COLUMNS = (
    users.c.id,
    users.c.name,
    users.c.role,
    users.c.created_at,
    users.c.disabled_at,
    users.c.max_concurrent_runs,
)


def is_user_name(text: str) -> bool:
    """Whether a user can have this name."""
    return len(text) <= NAME_LENGTH and re.fullmatch(NAME_PATTERN, text) is not None


def create_user(connection: Connection, name: str, password: str, role: str) -> User:
    """Raises `UserExists` when the name is taken."""
    row = connection.execute(
        insert(users)
        .values(id=str(uuid.uuid4()), name=name, password_hash=hash_password(password), role=role)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(*_COLUMNS)
    ).first()
    if row is None:
        raise UserExists(f"There is a user {name} already.")
    return User(**row._mapping)


def ensure_admin(connection: Connection, name: str, password: str) -> bool:
    """Create the first administrator unless an administrator exists; whether one was created."""
    connection.execute(sa.text("LOCK TABLE headrace.users IN SHARE ROW EXCLUSIVE MODE"))
    if connection.execute(sa.select(users.c.id).where(users.c.role == "admin").limit(1)).first() is not None:
        return False
    create_user(connection, name, password, "admin")
    return True


def get_user_by_name(connection: Connection, name: str) -> User | None:
    row = connection.execute(sa.select(*_COLUMNS).where(users.c.name == name)).first()
    return None if row is None else User(**row._mapping)


def user_names(connection: Connection) -> list[str]:
    """The names of all users."""
    return list(connection.scalars(sa.select(users.c.name).order_by(users.c.name)))


def name_of_user(connection: Connection, user_id: str) -> str:
    """The name of a user that is there."""
    return str(connection.execute(sa.select(users.c.name).where(users.c.id == user_id)).scalar_one())


def list_users(connection: Connection, *, limit: int = DEFAULT_PAGE, cursor: str | None = None) -> Page[User]:
    """Users by name. Raises `BadCursor`."""
    query = sa.select(*_COLUMNS).order_by(users.c.name).limit(limit + 1)
    if cursor is not None:
        query = query.where(users.c.name > decode_cursor(cursor, str)[0])
    found = [User(**row._mapping) for row in connection.execute(query)]
    return Page(found[:limit], encode_cursor(found[limit - 1].name) if len(found) > limit else None)


def change_user(
    connection: Connection,
    name: str,
    *,
    role: str | None = None,
    password: str | None = None,
    disabled: bool | None = None,
) -> User:
    """Change what is given.

    A disabled user's tokens and keys stop working at once. A new password or another role ends the user's tokens,
    sessions, tickets and open streams, but not API keys, which are credentials of their own with names to be deleted
    by.

    Raises `UserNotFound`, and `LastAdmin` if no administrator who is not disabled would be left.
    """
    if disabled or role not in (None, "admin"):
        _demand_another_admin(connection, name)
    changes: dict[sa.Column[Any], object] = {users.c.name: users.c.name}
    if role is not None:
        changes[users.c.role] = role
    if password is not None:
        changes[users.c.password_hash] = hash_password(password)
    if disabled is not None:
        changes[users.c.disabled_at] = sa.func.clock_timestamp() if disabled else None
    ends_credentials = password is not None or disabled or _is_another_role(connection, name, role)
    user = _change(connection, name, changes)
    if ends_credentials:
        end_credentials(connection, user.id)
    return user


def limit_user(connection: Connection, name: str, max_concurrent_runs: int | None) -> User:
    """Give the user a limit of concurrent runs of their own, or with None that of all users. Raises `UserNotFound`."""
    connection.execute(sa.select(sa.func.pg_notify(channels.QUEUE, name)))
    return _change(connection, name, {users.c.max_concurrent_runs: max_concurrent_runs})


def _change(connection: Connection, name: str, changes: Mapping[sa.Column[Any], object]) -> User:
    row = connection.execute(users.update().where(users.c.name == name).values(changes).returning(*_COLUMNS)).first()
    if row is None:
        raise UserNotFound(f"There is no user {name}.")
    return User(**row._mapping)


def _is_another_role(connection: Connection, name: str, role: str | None) -> bool:
    return role is not None and connection.scalar(sa.select(users.c.role).where(users.c.name == name)) != role


def _demand_another_admin(connection: Connection, name: str) -> None:
    # All of them are locked, in one order: of two administrators who disable each other at once one is refused.
    active = sa.select(users.c.name).where(users.c.role == "admin", users.c.disabled_at.is_(None))
    found = connection.execute(active.order_by(users.c.id).with_for_update()).scalars().all()
    if found == [name]:
        raise LastAdmin(f"{name} is the last administrator; make another one first.")
