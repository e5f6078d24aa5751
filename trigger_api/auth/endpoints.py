"""Tokens, and who the caller is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request

from platform_core.database.engine import reading
from platform_core.errors import (
    BadCredentials,
    InvalidRequest,
    TokenExpired,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from platform_core.identity.auth import issue_token, log_in
from platform_core.identity.login_rates import demand_login, forgive_login
from platform_core.web.dependencies import PrincipalDep, ServicesDep
from platform_core.web.problems import problems
from trigger_api.auth.schemas import PrincipalAnswer, TokenAnswer

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


def _turn() -> Iterator[None]:
    yield


# A password check is slow on purpose; a crowd of them must not take the threads and cores of all other requests.
_Turn = Depends(_turn, scope="function", max_concurrency=2)


@router.post(
    "/token",
    operation_id="create_token",
    dependencies=[_Turn],
    responses=problems(BadCredentials, InvalidRequest, TooManyRequests, Unavailable),
)
def create_token(
    request: Request,
    services: ServicesDep,
    username: Annotated[str, Form(max_length=100)],
    password: Annotated[str, Form(max_length=1000)],
    grant_type: Annotated[str, Form(pattern="^password$")] = "password",
) -> TokenAnswer:
    """Exchange a user name and password for a bearer token (the OAuth2 password form)."""
    settings = services.settings
    address = request.client.host if request.client else None
    with reading(services.engine) as connection:
        demand_login(connection, settings, username, address)
        principal = log_in(connection, username, password)
        forgive_login(connection, settings, username, address)
    ttl = settings.token_ttl
    return TokenAnswer(access_token=issue_token(services.keys, principal.user_id, ttl), expires_in=ttl)


@router.get("/me", operation_id="get_me", responses=problems(Unauthorized, TokenExpired, Unavailable))
def get_me(principal: PrincipalDep) -> PrincipalAnswer:
    """The caller's name, role and scopes."""
    return PrincipalAnswer(
        id=principal.user_id, name=principal.name, role=principal.role, scopes=sorted(principal.scopes)
    )
