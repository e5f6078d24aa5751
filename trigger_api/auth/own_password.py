"""A user's own password, changed by those who know the old one."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Target, TargetKind
from platform_core.database.engine import reading, transaction
from platform_core.errors import BadCredentials, Forbidden, InvalidRequest, TooManyRequests, Unavailable
from platform_core.facts.credential import Credential
from platform_core.identity.session_store import begin_session
from platform_core.identity.user_store import change_user
from platform_core.web.dependencies import AUTH_ERRORS, PrincipalDep, ServicesDep
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.auth.passwords import LoginTurn, proven
from trigger_api.auth.schemas import PasswordChange
from trigger_api.auth.sessions import keep_session

router = APIRouter(prefix="/api/v1/auth/password", tags=["auth"], route_class=StrictJsonRoute)


@router.post(
    "",
    status_code=204,
    operation_id="change_password",
    dependencies=[LoginTurn],
    responses=problems(*AUTH_ERRORS, BadCredentials, InvalidRequest, TooManyRequests, Unavailable),
)
def change_password(
    principal: PrincipalDep,
    request: Request,
    response: Response,
    services: ServicesDep,
    origin: OriginDep,
    change: PasswordChange,
) -> None:
    """Change the caller's own password; all their tokens and sessions end, and a browser gets a new session."""
    if principal.credential is Credential.KEY:
        raise Forbidden("An API key does not change its user's password; use a token or a session.")
    settings = services.settings
    with reading(services.engine) as connection:
        proven(connection, settings, origin, principal.name, change.old)
    with transaction(services.engine) as connection:
        change_user(connection, principal.name, password=change.new)
        target = Target(TargetKind.USER, principal.user_id, principal.name, principal.user_id)
        record(connection, origin.author(principal), Action.USER_CHANGED, target, after={"password": "changed"})
        if principal.credential is Credential.SESSION:
            keep_session(response, request, begin_session(connection, settings, principal.user_id))
