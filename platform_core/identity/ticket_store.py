"""Tickets: one-minute, single-use credentials for clients that cannot send a bearer token, such as EventSource."""

from __future__ import annotations

import hashlib
import secrets

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import tickets, users
from platform_core.errors import Unauthorized
from platform_core.facts.credential import Credential
from platform_core.identity.auth import ADMIN_SCOPE, ROLE_SCOPES, Principal

_LIFETIME = sa.text("interval '1 minute'")


def issue_ticket(connection: Connection, user_id: str, run_id: str | None) -> str:
    """A ticket to follow one run, or any run the user may see when `run_id` is None; sweeps expired tickets."""
    ticket = secrets.token_urlsafe(32)
    expired = sa.select(tickets.c.ticket_hash).where(tickets.c.expires_at < sa.func.now())
    connection.execute(
        tickets.delete().where(tickets.c.ticket_hash.in_(expired.limit(100).with_for_update(skip_locked=True)))
    )
    connection.execute(
        tickets.insert().values(
            ticket_hash=_hash(ticket), user_id=user_id, run_id=run_id, expires_at=sa.func.now() + _LIFETIME
        )
    )
    return ticket


def redeem_ticket(connection: Connection, ticket: str, run_id: str | None) -> Principal:
    """Use the ticket up for following `run_id`. The principal may only read runs.

    Raises `Unauthorized` when the ticket was used, has expired, or was issued for another run.
    """
    spent = (
        tickets.delete()
        .where(tickets.c.ticket_hash == _hash(ticket))
        .returning(tickets.c.user_id, tickets.c.run_id, tickets.c.expires_at)
        .cte("spent")
    )
    usable = sa.and_(
        spent.c.expires_at > sa.func.now(),
        users.c.disabled_at.is_(None),
        spent.c.run_id.is_(None) | (spent.c.run_id == run_id),
    )
    query = sa.select(users.c.id, users.c.name, users.c.role).join(spent, spent.c.user_id == users.c.id)
    row = connection.execute(query.where(usable)).first()
    if row is None:
        raise Unauthorized("The ticket is not valid for this; a ticket is valid for one minute and one use.")
    scopes = ROLE_SCOPES[row.role] & {"runs:read", ADMIN_SCOPE}
    return Principal(row.id, row.name, row.role, scopes, Credential.LINK)


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()
