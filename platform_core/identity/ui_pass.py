"""By what Dagster's UI knows that one of our services asks, and for whom: a pass, made for each request.

Dagster has no login, so its UI answers nobody without a pass. To make one takes the installation's master keys, which
neither a browser has nor a node.
"""

from __future__ import annotations

import time
from dataclasses import asdict

import jwt

from platform_core.audit.entry import ActorKind, Author
from platform_core.errors import Unauthorized
from platform_core.facts.credential import Credential
from platform_core.identity.keys import KeyRing

HEADER = "X-Headrace-Pass"
_ISSUER = "headrace/dagster-ui"
_ALGORITHM = "HS256"
_SECONDS = 60


def issue_pass(keys: KeyRing, author: Author) -> str:
    """A pass for one request on behalf of `author`: a user, or Headrace itself."""
    said = {name: value for name, value in asdict(author).items() if value is not None}
    claims = {"iss": _ISSUER, "author": said, "exp": int(time.time()) + _SECONDS}
    return jwt.encode(claims, keys.signing_key(), algorithm=_ALGORITHM)


def author_of(keys: KeyRing, shown: str) -> Author:
    """On whose behalf the pass was made. Raises `Unauthorized`."""
    for key in keys.verification_keys():
        try:
            claims = jwt.decode(
                shown, key, algorithms=[_ALGORITHM], issuer=_ISSUER, options={"require": ["iss", "author", "exp"]}
            )
        except jwt.InvalidTokenError:
            continue
        said = claims["author"]
        credential = Credential(said["credential"]) if "credential" in said else None
        return Author(**{**said, "kind": ActorKind(said["kind"]), "credential": credential})
    raise Unauthorized("This is not a valid pass to Dagster's UI.")
