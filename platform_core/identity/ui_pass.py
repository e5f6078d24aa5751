"""By what Dagster's UI knows that one of our services asks, and for whom: a pass, made for each request.

Dagster has no login, so its UI answers nobody without a pass. To make one takes the installation's master keys, which
neither a browser has nor a node.
"""

from __future__ import annotations

import time

import jwt

from platform_core.errors import Unauthorized
from platform_core.identity.keys import KeyRing

HEADER = "X-Headrace-Pass"
_ISSUER = "headrace/dagster-ui"
_ALGORITHM = "HS256"
_SECONDS = 60


def issue_pass(keys: KeyRing, caller: str) -> str:
    """A pass for one request on behalf of `caller`: the name of a user, or of a service of ours."""
    claims = {"iss": _ISSUER, "sub": caller, "exp": int(time.time()) + _SECONDS}
    return jwt.encode(claims, keys.signing_key(), algorithm=_ALGORITHM)


def caller_of(keys: KeyRing, shown: str) -> str:
    """On whose behalf the pass was made. Raises `Unauthorized`."""
    for key in keys.verification_keys():
        try:
            claims = jwt.decode(
                shown, key, algorithms=[_ALGORITHM], issuer=_ISSUER, options={"require": ["iss", "sub", "exp"]}
            )
        except jwt.InvalidTokenError:
            continue
        return str(claims["sub"])
    raise Unauthorized("This is not a valid pass to Dagster's UI.")
