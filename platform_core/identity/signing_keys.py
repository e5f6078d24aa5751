"""Keys that sign tokens (Ed25519): rows that all processes share, rotated before anybody asks for it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.engine import Connection

from platform_core.database.tables import signing_keys
from platform_core.errors import BadConfiguration
from platform_core.identity.keys import KeyRing

LONGEST_TOKEN = 86_400
"""Seconds that a token lives at most, and so for how long a key verifies after another has taken its place."""

_SIGNS_FOR = timedelta(days=30)
# A client that keeps the published keys, as the answer allows, has a new one before it signs.
PUBLISHED_FOR = 300
_LEAD = timedelta(seconds=2 * PUBLISHED_FOR)
_KEPT = timedelta(seconds=LONGEST_TOKEN + 60)
# A key that was taken away verifies nothing after that; an unknown one is looked for, as an API key would be.
_CACHED_SECONDS = 5.0


@dataclass(frozen=True)
class SigningKey:
    """A key by its name in tokens (`kid`); the private part is encrypted, and nothing prints it."""

    kid: str
    public: Ed25519PublicKey
    ciphertext: bytes
    created_at: datetime
    signs_from: datetime


class SigningKeys:
    """The keys as this process last saw them, a few seconds ago at most."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._known: Mapping[str, SigningKey] = {}
        self._read_at = float("-inf")

    def verifying(self, connection: Connection, kid: str) -> Ed25519PublicKey | None:
        """The key of that name; None if there is none."""
        known = self._known
        if kid not in known or time.monotonic() - self._read_at > _CACHED_SECONDS:
            known = self._read(connection)
        key = known.get(kid)
        return None if key is None else key.public

    def signing(self, connection: Connection) -> tuple[str, Ed25519PrivateKey]:
        """The name and the key to sign with at present; makes the next one in time."""
        known, now = self._known, datetime.now(UTC)
        if time.monotonic() - self._read_at > _CACHED_SECONDS:
            known = self._read(connection)
        if not known or max(key.created_at for key in known.values()) < now - _SIGNS_FOR:
            rotate(connection, self._keys)
            # Not kept: the caller may yet roll back.
            known, self._read_at = _select(connection), float("-inf")
        by_age = sorted(known.values(), key=lambda key: key.signs_from)
        # The first one signs at once, also by a clock that is slower than the one of its maker.
        key = [by_age[0], *(key for key in by_age if key.signs_from <= now)][-1]
        return key.kid, Ed25519PrivateKey.from_private_bytes(self._keys.decrypt(key.ciphertext))

    def _read(self, connection: Connection) -> Mapping[str, SigningKey]:
        self._known, self._read_at = _select(connection), time.monotonic()
        return self._known


def published(connection: Connection) -> list[SigningKey]:
    """All keys that verify tokens now or will sign soon, the oldest first."""
    return sorted(_select(connection).values(), key=lambda key: key.signs_from)


def rotate(connection: Connection, keys: KeyRing) -> None:
    """Make a key that signs as soon as everybody can know it, the first one at once; forget keys that are past use.

    Processes that do so at the same time make a key each, which all hold.
    """
    private, now = Ed25519PrivateKey.generate(), datetime.now(UTC)
    present = sorted(key.signs_from for key in _select(connection).values())
    connection.execute(
        signing_keys.insert().values(
            kid=secrets.token_urlsafe(12),
            public_key=private.public_key().public_bytes_raw(),
            private_key=keys.encrypt(private.private_bytes_raw()),
            created_at=now,
            signs_from=now + _LEAD if present else now,
        )
    )
    replaced = [since for since in present if since < now - _KEPT]
    if replaced:
        connection.execute(signing_keys.delete().where(signing_keys.c.signs_from < replaced[-1]))


def renew_signing_keys(connection: Connection, keys: KeyRing) -> tuple[int, list[str]]:
    """Encrypt the private parts with the active master key, unless they are.

    How many were not, and the names of those that no master key opens; they stay, and verify.
    """
    renewed, unreadable = 0, []
    for key in _select(connection).values():
        try:
            ciphertext = keys.renewed(key.ciphertext)
        except BadConfiguration:
            unreadable.append(key.kid)
            continue
        if ciphertext is not None:
            change = signing_keys.update().where(signing_keys.c.kid == key.kid).values(private_key=ciphertext)
            renewed += connection.execute(change).rowcount
    return renewed, unreadable


def _select(connection: Connection) -> dict[str, SigningKey]:
    return {
        row.kid: SigningKey(
            row.kid, Ed25519PublicKey.from_public_bytes(row.public_key), row.private_key, row.created_at, row.signs_from
        )
        for row in connection.execute(sa.select(signing_keys))
    }
