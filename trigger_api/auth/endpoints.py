"""Tokens, and who the caller is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Form

from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Target, TargetKind
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
from platform_core.identity.user_store import is_user_name
from platform_core.limits import LONGEST_PASSWORD
from platform_core.web.dependencies import PrincipalDep, ServicesDep
from platform_core.web.origin import OriginDep
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
    services: ServicesDep,
    origin: OriginDep,
    username: Annotated[str, Form(max_length=100)],
    password: Annotated[str, Form(max_length=LONGEST_PASSWORD)],
    grant_type: Annotated[str, Form(pattern="^password$")] = "password",
) -> TokenAnswer:
    """Exchange a user name and password for a bearer token (the OAuth2 password form)."""
    settings = services.settings
    with reading(services.engine) as connection:
        demand_login(connection, settings, username, origin.address)
        try:
            principal = log_in(connection, username, password)
        except BadCredentials:
            record(connection, origin.nobody(), Action.LOGIN_REFUSED, _tried(username))
            raise
        forgive_login(connection, settings, username, origin.address)
        target = Target(TargetKind.USER, principal.user_id, principal.name, principal.user_id)
        record(connection, origin.author(principal), Action.LOGIN_ACCEPTED, target)
    ttl = settings.token_ttl
    return TokenAnswer(access_token=issue_token(services.keys, principal.user_id, ttl), expires_in=ttl)


def _tried(name: str) -> Target:
    """The user that somebody wanted to be; what no user can be called may be a password in the wrong field."""
    return Target(TargetKind.USER, name=name if is_user_name(name) else None)


@router.get("/me", operation_id="get_me", responses=problems(Unauthorized, TokenExpired, Unavailable))
def get_me(principal: PrincipalDep) -> PrincipalAnswer:
    """The caller's name, role and scopes."""
    return PrincipalAnswer(
        id=principal.user_id, name=principal.name, role=principal.role, scopes=sorted(principal.scopes)
    )
