"""Tokens that say who calls: JWT (RFC 7519) signed by Ed25519 (RFC 8037), checked as RFC 8725 asks."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Any

import jwt
from sqlalchemy.engine import Connection

from platform_core.errors import TokenExpired, Unauthorized
from platform_core.identity.signing_keys import SigningKeys

ISSUER = "headrace"
ALGORITHM = "EdDSA"
LONGEST_TEXT = 2048
"""Characters of a token that is looked at: ours have some 400."""
_CLOCK_SKEW = 5
_INVALID = "The bearer token is not valid here."


class Audience(StrEnum):
    """What a token is good for."""

    API = "headrace/api"
    WATCH = "headrace/watch"


def sign(connection: Connection, keys: SigningKeys, audience: Audience, user_id: str, ttl: int, **claims: str) -> str:
    """A token of the user that lives `ttl` seconds, with further claims."""
    kid, private = keys.signing(connection)
    now = time.time()
    dated = {"iat": now, "nbf": int(now), "exp": int(now) + ttl}
    payload = {"iss": ISSUER, "aud": audience.value, "sub": user_id, **dated, **claims}
    return jwt.encode(payload, private, algorithm=ALGORITHM, headers={"kid": kid})


def verify(connection: Connection, keys: SigningKeys, audience: Audience, token: str, *needed: str) -> dict[str, Any]:
    """The claims of a token for this audience, `needed` ones among them. Raises `Unauthorized`, `TokenExpired`."""
    if len(token) > LONGEST_TEXT:
        raise Unauthorized(_INVALID)
    try:
        public = keys.verifying(connection, str(jwt.get_unverified_header(token).get("kid")))
        if public is None:
            raise Unauthorized(_INVALID)
        return jwt.decode(
            token,
            public,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=audience.value,
            leeway=_CLOCK_SKEW,
            options={"require": ["iss", "aud", "sub", "iat", "nbf", "exp", *needed], "strict_aud": True},
        )
    except jwt.ExpiredSignatureError:
        raise TokenExpired("The token has expired; get a new one.") from None
    except jwt.InvalidTokenError:
        raise Unauthorized(_INVALID) from None
