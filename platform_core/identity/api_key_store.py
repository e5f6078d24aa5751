"""API keys: long-lived, scoped credentials of a user, stored as hashes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.pagination import Page, decode_cursor, encode_cursor
from platform_core.database.tables import api_keys
from platform_core.errors import ApiKeyNotFound
from platform_core.identity.auth import Principal, new_api_key
from platform_core.limits import DEFAULT_PAGE


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key once it was shown."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None


_COLUMNS = (api_keys.c.id, api_keys.c.name, api_keys.c.scopes, api_keys.c.created_at, api_keys.c.expires_at)


def create_api_key(
    connection: Connection,
    principal: Principal,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key of the principal and its text, which is never to be had again.

    Raises `Forbidden` for a scope the principal does not have.
    """
    wanted = sorted(set(scopes))
    for scope in wanted:
        principal.demand(scope)
    text, key_hash = new_api_key()
    row = connection.execute(
        api_keys.insert()
        .values(
            id=str(uuid.uuid4()),
            user_id=principal.user_id,
            name=name,
            key_hash=key_hash,
            scopes=wanted,
            expires_at=expires_at,
        )
        .returning(*_COLUMNS)
    ).one()
    return ApiKey(**row._mapping), text


def list_api_keys(
    connection: Connection, user_id: str, *, limit: int = DEFAULT_PAGE, cursor: str | None = None
) -> Page[ApiKey]:
    """The user's keys, by id. Raises `BadCursor`."""
    query = sa.select(*_COLUMNS).where(api_keys.c.user_id == user_id).order_by(api_keys.c.id).limit(limit + 1)
    if cursor is not None:
        query = query.where(sa.cast(api_keys.c.id, sa.Text) > decode_cursor(cursor, str)[0])
    found = [ApiKey(**row._mapping) for row in connection.execute(query)]
    return Page(found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None)


def delete_api_key(connection: Connection, principal: Principal, key_id: str) -> tuple[ApiKey, str]:
    """Delete the key; what it was, and the id of its user.

    Raises `ApiKeyNotFound` unless the key is the principal's, or they are an administrator and it is anybody's.
    """
    chosen = sa.cast(api_keys.c.id, sa.Text) == key_id
    if not principal.is_admin:
        chosen = sa.and_(chosen, api_keys.c.user_id == principal.user_id)
    row = connection.execute(api_keys.delete().where(chosen).returning(api_keys.c.user_id, *_COLUMNS)).first()
    if row is None:
        raise ApiKeyNotFound("You have no such API key.")
    user_id, *key = row
    return ApiKey(*key), user_id
