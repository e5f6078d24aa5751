"""Tokens for requests of tests."""

from __future__ import annotations

from sqlalchemy.engine import Engine

from platform_core.database.engine import reading
from platform_core.identity.auth import issue_token
from platform_core.identity.keys import KeyRing
from platform_core.identity.signing_keys import SigningKeys


def bearer_token(engine: Engine, keys: KeyRing, user_id: str, ttl: int) -> str:
    """A bearer token of the user that lives `ttl` seconds."""
    with reading(engine) as connection:
        return issue_token(connection, SigningKeys(keys), user_id, ttl)
