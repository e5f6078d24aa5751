"""Sessions of browsers: begun by a password, shown, ended."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from platform_core.database.engine import reading
from platform_core.errors import BadCredentials, ForeignPage, InvalidRequest, TooManyRequests, Unauthorized, Unavailable
from platform_core.identity.session_store import (
    SESSION_COOKIE,
    Session,
    begin_session,
    csrf_token,
    end_session,
    session_end,
    session_principal,
)
from platform_core.web.dependencies import ServicesDep, SessionDep
from platform_core.web.origin import OriginDep
from platform_core.web.own_pages import demand_harmless, demand_own_page
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.auth.passwords import LoginTurn, proven
from trigger_api.auth.schemas import SessionAnswer, SignIn

router = APIRouter(prefix="/api/v1/auth/session", tags=["auth"], route_class=StrictJsonRoute)

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
    _keep(response, request, session)
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


def _keep(response: Response, request: Request, session: Session) -> None:
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
