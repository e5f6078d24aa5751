"""Secrets of an owner: written by the API, read only by run workers and signature checks, encrypted at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from platform_core.database.pagination import Page, decode_cursor, encode_cursor
from platform_core.database.tables import secrets
from platform_core.errors import SecretNotFound

if TYPE_CHECKING:
    from platform_core.identity.keys import KeyRing

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"


def put_secret(connection: Connection, keys: KeyRing, owner_id: str, name: str, value: str) -> bool:
    """Store or replace a secret; whether it is new."""
    ciphertext = keys.encrypt(value.encode())
    # xmax is 0 for a row that this statement inserted and not for one it updated.
    row = connection.execute(
        insert(secrets)
        .values(owner_id=owner_id, name=name, ciphertext=ciphertext)
        .on_conflict_do_update(
            index_elements=["owner_id", "name"],
            set_={"ciphertext": ciphertext, "updated_at": sa.func.clock_timestamp()},
        )
        .returning(sa.literal_column("xmax = 0", sa.Boolean))
    ).one()
    return bool(row[0])


def read_secret(connection: Connection, keys: KeyRing, owner_id: str, name: str) -> str | None:
    """The secret's text, or None when the owner has none of that name."""
    query = sa.select(secrets.c.ciphertext).where(secrets.c.owner_id == owner_id, secrets.c.name == name)
    row = connection.execute(query).first()
    return None if row is None else keys.decrypt(row.ciphertext).decode()


def list_secrets(connection: Connection, owner_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[str]:
    """Names of the owner's secrets. Raises `BadCursor`."""
    query = sa.select(secrets.c.name).where(secrets.c.owner_id == owner_id).order_by(secrets.c.name).limit(limit + 1)
    if cursor is not None:
        query = query.where(secrets.c.name > decode_cursor(cursor, str)[0])
    found = list(connection.execute(query).scalars())
    return Page(found[:limit], encode_cursor(found[limit - 1]) if len(found) > limit else None)


def delete_secret(connection: Connection, owner_id: str, name: str) -> None:
    """Raises `SecretNotFound`."""
    mine = sa.and_(secrets.c.owner_id == owner_id, secrets.c.name == name)
    if connection.execute(secrets.delete().where(mine)).rowcount == 0:
        raise SecretNotFound(f"You have no secret {name}.")
