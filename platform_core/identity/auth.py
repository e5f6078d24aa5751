"""Credentials to a principal: passwords, bearer tokens, API keys, roles and the scopes they imply. No web framework."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import argon2
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import api_keys, users
from platform_core.errors import BadCredentials, Forbidden, TokenExpired, Unauthorized
from platform_core.facts.credential import Credential
from platform_core.identity.access_tokens import Audience, sign, verify
from platform_core.identity.signing_keys import SigningKeys

API_KEY_PREFIX = "hr_"
WATCH_PREFIX = "hw_"
"""Begins a watch token: what a page that shows one run keeps, so that it survives the loss of its connection."""
ADMIN_SCOPE = "admin"

_VIEWER = frozenset({"graphs:read", "runs:read", "keys:write", "audit:read"})
_OPERATOR = _VIEWER | {"runs:write"}
_EDITOR = _OPERATOR | {"graphs:write", "secrets:write"}
ROLE_SCOPES: dict[str, frozenset[str]] = {
    "viewer": _VIEWER,
    "operator": _OPERATOR,
    "editor": _EDITOR,
    "admin": _EDITOR | {ADMIN_SCOPE},
}
"""What each role may do. `admin` administers users and sees what others own."""

# OWASP's first choice for argon2id: a login costs 19 MiB, so that many at once cannot exhaust the memory.
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


@dataclass(frozen=True)
class Principal:
    """Who calls and what they may do."""

    user_id: str
    name: str
    role: str
    scopes: frozenset[str]
    credential: Credential = field(default=Credential.TOKEN, compare=False)
    """By what they proved who they are; it is no part of who they are."""

    @property
    def is_admin(self) -> bool:
        return ADMIN_SCOPE in self.scopes

    def may_see(self, owner_id: str) -> bool:
        """Whether things of this owner exist for the principal."""
        return self.is_admin or owner_id == self.user_id

    def demand(self, scope: str) -> None:
        """Raises `Forbidden` without the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"This needs the scope {scope}, which you do not have.", scope=scope)


def hash_password(password: str) -> str:
    return _HASHER.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether the password fits; without a hash (an unknown user) it takes as long and does not."""
    try:
        _HASHER.verify(password_hash or _nobodys_hash(), password)
    except argon2.exceptions.VerificationError:
        return False
    return password_hash is not None


@functools.lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return hash_password(secrets.token_urlsafe())


def log_in(connection: Connection, name: str, password: str) -> Principal:
    """The principal of a name and password. Raises `BadCredentials`, without saying which of both is wrong."""
    # PostgreSQL text cannot hold NUL, so no user's name does.
    row = connection.execute(SELECT_USER.where(users.c.name == name.replace("\0", ""))).first()
    active = row is not None and row.disabled_at is None
    if not verify_password(row.password_hash if row is not None and active else None, password) or row is None:
        raise BadCredentials("The user name or the password is wrong.")
    return dataclasses.replace(_principal(row._mapping), credential=Credential.PASSWORD)


def issue_token(connection: Connection, keys: SigningKeys, user_id: str, ttl: int) -> str:
    """A bearer token for the user that lives `ttl` seconds."""
    return sign(connection, keys, Audience.API, user_id, ttl)


def issue_watch_token(connection: Connection, keys: SigningKeys, user_id: str, run_id: str, ttl: int) -> str:
    """A token to follow this run and nothing else, that lives `ttl` seconds."""
    return WATCH_PREFIX + sign(connection, keys, Audience.WATCH, user_id, ttl, run=run_id)


def authenticate_watcher(connection: Connection, keys: SigningKeys, token: str) -> tuple[Principal, str]:
    """The principal of a watch token, who may only read runs, and the run it is for.

    Raises `Unauthorized`, `TokenExpired`.
    """
    claims = verify(connection, keys, Audience.WATCH, token.removeprefix(WATCH_PREFIX), "run")
    return present_viewer(connection, claims["sub"], claims["iat"]), claims["run"]


def present_viewer(connection: Connection, user_id: str, since: float) -> Principal:
    """The user as it is now, who may only read runs and proved who it is at `since`, in seconds of the epoch.

    Raises `Unauthorized`.
    """
    principal = _present_user(connection, user_id, since)
    return dataclasses.replace(principal, scopes=principal.scopes & {"runs:read", ADMIN_SCOPE})


def new_api_key() -> tuple[str, bytes]:
    """A random API key and the hash to store; the key itself is shown once and kept nowhere."""
    key = API_KEY_PREFIX + secrets.token_urlsafe(32)
    return key, hash_api_key(key)


def hash_api_key(key: str) -> bytes:
    """SHA-256 is enough here: a key is 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(key.encode()).digest()


def authenticate(connection: Connection, keys: SigningKeys, bearer: str) -> Principal:
    """The principal of a bearer token or API key, as the database knows the user now.

    Raises `TokenExpired` for an old token or key and `Unauthorized` for anything else that does not hold.
    """
    if bearer.startswith(API_KEY_PREFIX):
        return _authenticate_key(connection, bearer)
    claims = verify(connection, keys, Audience.API, bearer)
    return _present_user(connection, claims["sub"], claims["iat"])


def _present_user(connection: Connection, user_id: str, since: float) -> Principal:
    return present_principal(connection.execute(SELECT_USER.where(users.c.id == user_id)).first(), since)


def present_principal(row: sa.Row[*tuple[Any, ...]] | None, since: float) -> Principal:
    """The user of a row of `SELECT_USER` as who they proved to be at `since`, in seconds of the epoch.

    Raises `Unauthorized` unless they are still there, and neither password nor role was changed after that.
    """
    if row is None or row.disabled_at is not None:
        raise Unauthorized("The user of these credentials does not exist or is disabled.")
    if row.tokens_valid_from is not None and since < row.tokens_valid_from.timestamp():
        raise Unauthorized("The user's password or role was changed after these credentials were given; log in again.")
    return _principal(row._mapping)


def _authenticate_key(connection: Connection, key: str) -> Principal:
    query = SELECT_USER.add_columns(api_keys.c.scopes, api_keys.c.expires_at < sa.func.now()).join(
        api_keys, api_keys.c.user_id == users.c.id
    )
    row = connection.execute(query.where(api_keys.c.key_hash == hash_api_key(key))).first()
    if row is None or row.disabled_at is not None:
        raise Unauthorized("The API key is not valid here.")
    if row[-1]:
        raise TokenExpired("The API key has expired; make a new one.")
    return dataclasses.replace(_principal(row._mapping, row.scopes), credential=Credential.KEY)


SELECT_USER = sa.select(
    users.c.id, users.c.name, users.c.role, users.c.disabled_at, users.c.tokens_valid_from, users.c.password_hash
)


def _principal(row: sa.RowMapping, scopes: Iterable[str] | None = None) -> Principal:
    granted = ROLE_SCOPES[row["role"]]
    return Principal(row["id"], row["name"], row["role"], granted if scopes is None else granted & frozenset(scopes))
