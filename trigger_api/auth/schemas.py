"""Shapes of tokens and of the caller."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from platform_core.identity.signing_keys import SigningKey
from platform_core.limits import LONGEST_PASSWORD
from trigger_api.shared.schemas import Answer, Password, RequestBody


class TokenAnswer(Answer):
    """An OAuth2 bearer token; `expires_in` are seconds."""

    access_token: str
    token_type: Literal["bearer"] = Field(default="bearer")
    expires_in: int


class PrincipalAnswer(Answer):
    """Who the caller is and what they may do."""

    id: str
    name: str
    role: str
    scopes: list[str]


class KeyAnswer(Answer):
    """A public key as RFC 8037 writes it; `x` is base64url."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    use: Literal["sig"] = "sig"
    alg: Literal["EdDSA"] = "EdDSA"
    kid: str
    x: str

    @classmethod
    def of(cls, key: SigningKey) -> KeyAnswer:
        x = base64.urlsafe_b64encode(key.public.public_bytes_raw()).rstrip(b"=").decode()
        return cls(kid=key.kid, x=x)


class KeySetAnswer(Answer):
    """A JWK Set."""

    keys: list[KeyAnswer]


class SignIn(RequestBody):
    """Who begins a session."""

    username: Annotated[str, Field(max_length=100)]
    password: Annotated[str, Field(max_length=LONGEST_PASSWORD)]


class PasswordChange(RequestBody):
    """The caller's password, and the one to take its place."""

    old: Annotated[str, Field(max_length=LONGEST_PASSWORD)]
    new: Password


class SessionAnswer(Answer):
    """A browser's session: whose it is, when it ends at the latest, and what requests that change something carry."""

    user: str
    role: str
    expires_at: datetime
    csrf_token: Annotated[str, Field(description="Sent as X-CSRF-Token with every request that changes something.")]
