"""Links that sign a browser in once, within five minutes, as their maker: what `headrace open` prints."""

from __future__ import annotations

import hashlib
import secrets

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import tickets
from platform_core.errors import Unauthorized

LIFETIME = 300
"""Seconds in which a link can be used."""


def new_link_token(connection: Connection, user_id: str) -> str:
    """The token of a link that signs in as the user."""
    token = secrets.token_urlsafe(32)
    expires = sa.func.now() + sa.text(f"interval '{LIFETIME} seconds'")
    connection.execute(tickets.insert().values(ticket_hash=_hash(token), user_id=user_id, expires_at=expires))
    return token


def use_link_token(connection: Connection, token: str) -> str:
    """The id of the user whom the link signs in, once. Raises `Unauthorized` if it was used or is too old."""
    used = (
        tickets.delete()
        .where(tickets.c.ticket_hash == _hash(token))
        .returning(tickets.c.user_id, (tickets.c.expires_at > sa.func.now()).label("holds"))
    )
    row = connection.execute(used).first()
    if row is None or not row.holds:
        raise Unauthorized("This link was used, or is too old; `headrace open` makes another.")
    return str(row.user_id)


def _hash(token: str) -> bytes:
    """Of another kind than a ticket's, so that no ticket to follow a run is a link."""
    return hashlib.sha256(b"signin:" + token.encode()).digest()
