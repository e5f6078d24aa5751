"""Tokens, and who the caller is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response

from platform_core.database.engine import reading
from platform_core.errors import (
    BadCredentials,
    InvalidRequest,
    TokenExpired,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from platform_core.identity.auth import issue_token
from platform_core.identity.signing_keys import PUBLISHED_FOR, published
from platform_core.limits import LONGEST_PASSWORD
from platform_core.web.dependencies import PrincipalDep, ServicesDep
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from trigger_api.auth.passwords import LoginTurn, proven
from trigger_api.auth.schemas import KeyAnswer, KeySetAnswer, PrincipalAnswer, TokenAnswer

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


@router.post(
    "/token",
    operation_id="create_token",
    dependencies=[LoginTurn],
    responses=problems(BadCredentials, InvalidRequest, TooManyRequests, Unavailable),
)
def create_token(
    services: ServicesDep,
    origin: OriginDep,
    username: Annotated[str, Form(max_length=100)],
    password: Annotated[str, Form(max_length=LONGEST_PASSWORD)],
    grant_type: Annotated[str, Form(pattern="^password$")] = "password",
) -> TokenAnswer:
    """Exchange a user name and password for a bearer token (the OAuth2 password form)."""
    with reading(services.engine) as connection:
        principal = proven(connection, services.settings, origin, username, password)
        ttl = services.settings.token_ttl
        token = issue_token(connection, services.signing_keys, principal.user_id, ttl)
    return TokenAnswer(access_token=token, expires_in=ttl)


@router.get("/jwks", operation_id="get_jwks", responses=problems(Unavailable))
def get_jwks(services: ServicesDep, response: Response) -> KeySetAnswer:
    """The public keys of tokens (RFC 7517, RFC 8037), also those that sign only later."""
    response.headers["Cache-Control"] = f"public, max-age={PUBLISHED_FOR}"
    with reading(services.engine) as connection:
        return KeySetAnswer(keys=[KeyAnswer.of(key) for key in published(connection)])


@router.get("/me", operation_id="get_me", responses=problems(Unauthorized, TokenExpired, Unavailable))
def get_me(principal: PrincipalDep) -> PrincipalAnswer:
    """The caller's name, role and scopes."""
    return PrincipalAnswer(
        id=principal.user_id, name=principal.name, role=principal.role, scopes=sorted(principal.scopes)
    )
