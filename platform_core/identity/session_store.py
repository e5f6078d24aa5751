"""Sessions of browsers: a random id in a cookie, kept as a hash, that ends by itself, by its user or with its user."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import sessions, users
from platform_core.errors import Unauthorized
from platform_core.facts.credential import Credential
from platform_core.identity.auth import SELECT_USER, Principal, present_principal
from platform_core.settings import Settings

SESSION_COOKIE = "headrace_session"
"""The cookie whose value is the session's id."""

_ENDED = "The session has ended; sign in again."
# A session is seen at least this often while it is used, and written no more often.
_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Session:
    """A session that has just begun; nothing can tell its id again. Nothing prints it."""

    id: str
    expires_at: datetime


def begin_session(connection: Connection, settings: Settings, user_id: str) -> Session:
    """A new session of a user who has just proved who they are; sweeps sessions that have ended."""
    now = datetime.now(UTC)
    ended = sa.select(sessions.c.session_hash).where(sessions.c.expires_at < now)
    connection.execute(
        sessions.delete().where(sessions.c.session_hash.in_(ended.limit(100).with_for_update(skip_locked=True)))
    )
    session = Session(secrets.token_urlsafe(32), now + timedelta(seconds=settings.session_ttl))
    connection.execute(
        sessions.insert().values(
            session_hash=_hash(session.id),
            user_id=user_id,
            idle_seconds=settings.session_idle,
            created_at=now,
            seen_at=now,
            expires_at=session.expires_at,
        )
    )
    return session


def session_principal(connection: Connection, session_id: str) -> Principal:
    """The user of the session, as they are now. Raises `Unauthorized` when it has ended or never was."""
    row, now = _find(connection, session_id), datetime.now(UTC)
    if now - row.seen_at > _SEEN_EVERY:
        mine = sessions.c.session_hash == _hash(session_id)
        connection.execute(sessions.update().where(mine).values(seen_at=now))
    principal = present_principal(row, row.session_began.timestamp())
    return dataclasses.replace(principal, credential=Credential.SESSION)


def session_end(connection: Connection, session_id: str) -> datetime:
    """When the session ends at the latest. Raises `Unauthorized` when it has ended or never was."""
    end = _find(connection, session_id).expires_at
    assert isinstance(end, datetime)
    return end


def _find(connection: Connection, session_id: str) -> sa.Row[*tuple[Any, ...]]:
    row = connection.execute(_SESSION, {"wanted": _hash(session_id)}).first()
    now = datetime.now(UTC)
    if row is None or min(row.expires_at, row.seen_at + timedelta(seconds=row.idle_seconds)) <= now:
        raise Unauthorized(_ENDED)
    return row


def end_session(connection: Connection, session_id: str) -> None:
    """End the session, if there is one."""
    connection.execute(sessions.delete().where(sessions.c.session_hash == _hash(session_id)))


def csrf_token(session_id: str) -> str:
    """What a page of ours sends beside the cookie, which it cannot read itself: derived, so that nothing is stored."""
    return hmac.new(session_id.encode(), b"headrace csrf", hashlib.sha256).hexdigest()


def _hash(session_id: str) -> bytes:
    """SHA-256 is enough here: an id is 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(session_id.encode()).digest()


_SESSION = (
    SELECT_USER.add_columns(
        sessions.c.created_at.label("session_began"), sessions.c.seen_at, sessions.c.idle_seconds, sessions.c.expires_at
    )
    .join(sessions, sessions.c.user_id == users.c.id)
    .where(sessions.c.session_hash == sa.bindparam("wanted"))
)
