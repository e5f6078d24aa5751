"""Sessions of browsers: begun by a password, shown, ended."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Target, TargetKind
from platform_core.database.engine import reading
from platform_core.errors import (
    BadCredentials,
    Forbidden,
    ForeignPage,
    InvalidRequest,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from platform_core.facts.credential import Credential
from platform_core.identity.epoch import end_credentials
from platform_core.identity.session_store import (
    SESSION_COOKIE,
    Session,
    begin_session,
    csrf_token,
    end_session,
    session_end,
    session_principal,
)
from platform_core.web.dependencies import AUTH_ERRORS, ConnectionDep, PrincipalDep, ServicesDep, SessionDep
from platform_core.web.origin import OriginDep
from platform_core.web.own_pages import demand_harmless, demand_own_page
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.auth.passwords import LoginTurn, proven
from trigger_api.auth.schemas import SessionAnswer, SignIn

router = APIRouter(prefix="/api/v1/auth/session", tags=["auth"], route_class=StrictJsonRoute)

everywhere = APIRouter(prefix="/api/v1/auth/logout-everywhere", tags=["auth"])

_NONE = "This needs a browser's session; POST /api/v1/auth/session begins one."


@router.post(
    "",
    status_code=201,
    operation_id="begin_session",
    dependencies=[LoginTurn],
    responses=problems(BadCredentials, ForeignPage, InvalidRequest, TooManyRequests, Unavailable),
)
def sign_in(
    request: Request, response: Response, services: ServicesDep, origin: OriginDep, former: SessionDep, who: SignIn
) -> SessionAnswer:
    """Begin a session of a browser, kept in a cookie that no script can read; the one before it ends."""
    settings = services.settings
    demand_own_page(request, settings.public_url)
    with reading(services.engine) as connection:
        principal = proven(connection, settings, origin, who.username, who.password)
        if former is not None:
            end_session(connection, former)
        session = begin_session(connection, settings, principal.user_id)
    keep_session(response, request, session)
    return _answer(principal.name, principal.role, session)


@router.get("", operation_id="get_session", responses=problems(Unauthorized, Unavailable))
def get_session(response: Response, services: ServicesDep, session_id: SessionDep) -> SessionAnswer:
    """The browser's session: who is signed in, until when at the latest, and the token for requests that change."""
    response.headers["Cache-Control"] = "no-store"
    if session_id is None:
        raise Unauthorized(_NONE)
    with reading(services.engine) as connection:
        principal = session_principal(connection, session_id)
        session = Session(session_id, session_end(connection, session_id))
    return _answer(principal.name, principal.role, session)


@router.delete(
    "", status_code=204, operation_id="end_session", responses=problems(Unauthorized, ForeignPage, Unavailable)
)
def sign_out(request: Request, response: Response, services: ServicesDep, session_id: SessionDep) -> None:
    """End the browser's session."""
    if session_id is None:
        raise Unauthorized(_NONE)
    demand_harmless(request, session_id, services.settings.public_url)
    with reading(services.engine) as connection:
        end_session(connection, session_id)
    response.delete_cookie(SESSION_COOKIE)


@everywhere.post("", status_code=204, operation_id="log_out_everywhere", responses=problems(*AUTH_ERRORS, Unavailable))
def log_out_everywhere(
    principal: PrincipalDep, origin: OriginDep, connection: ConnectionDep, response: Response
) -> None:
    """End all of the caller's sessions, tokens, tickets and open streams; API keys stay."""
    if principal.credential is Credential.KEY:
        raise Forbidden("An API key does not log its user out; use a token or a session.")
    end_credentials(connection, principal.user_id)
    target = Target(TargetKind.USER, principal.user_id, principal.name, principal.user_id)
    record(connection, origin.author(principal), Action.LOGGED_OUT_EVERYWHERE, target)
    response.delete_cookie(SESSION_COOKIE)


def keep_session(response: Response, request: Request, session: Session) -> None:
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        SESSION_COOKIE,
        session.id,
        max_age=int((session.expires_at - datetime.now(UTC)).total_seconds()),
        httponly=True,
        secure=request.url.scheme == "https",
        # Not strict: a link in a message to a run or to Dagster's UI arrives signed in.
        samesite="lax",
    )


def _answer(user: str, role: str, session: Session) -> SessionAnswer:
    token = csrf_token(session.id)
    return SessionAnswer(user=user, role=role, expires_at=session.expires_at, csrf_token=token)
