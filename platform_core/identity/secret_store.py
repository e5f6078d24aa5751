"""Secrets of an owner: written by the API, read only by run workers and signature checks, encrypted at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID, insert
from sqlalchemy.engine import Connection

from platform_core.database.pagination import Page, decode_cursor, encode_cursor
from platform_core.database.tables import secrets
from platform_core.errors import BadConfiguration, SecretNotFound
from platform_core.limits import DEFAULT_PAGE

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


def list_secrets(
    connection: Connection, owner_id: str, *, limit: int = DEFAULT_PAGE, cursor: str | None = None
) -> Page[str]:
    """Names of the owner's secrets, in the order of their bytes. Raises `BadCursor`."""
    name = secrets.c.name.collate("C")
    query = sa.select(secrets.c.name).where(secrets.c.owner_id == owner_id).order_by(name).limit(limit + 1)
    if cursor is not None:
        query = query.where(name > decode_cursor(cursor, str)[0])
    found = list(connection.execute(query).scalars())
    return Page(found[:limit], encode_cursor(found[limit - 1]) if len(found) > limit else None)


@dataclass(frozen=True)
class Renewal:
    """What became of some secrets: how many were encrypted again, which no key of the ring opens, and the last one."""

    renewed: int
    unreadable: list[str]
    last: tuple[str, str] | None


def renew_secrets(connection: Connection, keys: KeyRing, after: tuple[str, str] | None, limit: int) -> Renewal:
    """Encrypt the next `limit` secrets after one (owner id and name) with the active key, unless they are.

    A secret that is set meanwhile is left alone; when it was set stays, so nothing takes it for another one.
    """
    place = sa.tuple_(secrets.c.owner_id, secrets.c.name.collate("C"))
    query = sa.select(secrets.c.owner_id, secrets.c.name, secrets.c.ciphertext).order_by(*place).limit(limit)
    if after is not None:
        query = query.where(place > sa.tuple_(sa.cast(after[0], UUID(as_uuid=False)), after[1]))
    rows = connection.execute(query).all()
    renewed, unreadable = 0, []
    for row in rows:
        try:
            ciphertext = keys.renewed(row.ciphertext)
        except BadConfiguration:
            unreadable.append(row.name)
            continue
        if ciphertext is not None:
            same = (secrets.c.owner_id == row.owner_id, secrets.c.name == row.name)
            unchanged = secrets.c.ciphertext == row.ciphertext
            change = secrets.update().where(*same, unchanged).values(ciphertext=ciphertext)
            renewed += connection.execute(change).rowcount
    last = (rows[-1].owner_id, rows[-1].name) if len(rows) == limit else None
    return Renewal(renewed, unreadable, last)


def delete_secret(connection: Connection, owner_id: str, name: str) -> None:
    """Raises `SecretNotFound`."""
    mine = sa.and_(secrets.c.owner_id == owner_id, secrets.c.name == name)
    if connection.execute(secrets.delete().where(mine)).rowcount == 0:
        raise SecretNotFound(f"You have no secret {name}.")
