"""The page by which a browser signs in, with a name and a password or by a link: a form, without a script."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Target, TargetKind
from platform_core.database.engine import Connection, reading
from platform_core.errors import BadCredentials, TooManyRequests, Unauthorized
from platform_core.identity.auth import Principal
from platform_core.identity.session_store import begin_session, end_session, session_principal
from platform_core.identity.signin_links import use_link_token
from platform_core.limits import LONGEST_PASSWORD
from platform_core.web.dependencies import ServicesDep, SessionDep
from platform_core.web.origin import Origin, OriginDep
from platform_core.web.own_pages import demand_own_page
from platform_core.web.security_headers import POLICY
from platform_core.web.services import Services
from trigger_api.auth.passwords import LoginTurn, proven
from trigger_api.auth.sessions import keep_session

router = APIRouter(include_in_schema=False)

LONGEST = 2_000
"""Characters of an address to go on to, and of a link's token."""
_OWN_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
"""A path of ours, as a browser reads it: no address of another host, and nothing that it would take out or turn."""
_FIELDS = """<label for="username">User</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>"""
_LINK = '<p>This link signs this browser in, once.</p>\n<input type="hidden" name="token" value="{token}">'


@router.get("/signin", operation_id="show_sign_in")
def show_sign_in(
    next: Annotated[str, Query(max_length=LONGEST)] = "", token: Annotated[str, Query(max_length=LONGEST)] = ""
) -> Response:
    """The page; it uses nothing up, so that a preview of a link does not."""
    return _page(_LINK.format(token=html.escape(token)) if token else _FIELDS, next)


@router.post("/signin", operation_id="sign_in_by_form", dependencies=[LoginTurn])
def sign_in_by_form(
    request: Request,
    services: ServicesDep,
    origin: OriginDep,
    former: SessionDep,
    username: Annotated[str, Form(max_length=100)] = "",
    password: Annotated[str, Form(max_length=LONGEST_PASSWORD)] = "",
    token: Annotated[str, Form(max_length=LONGEST)] = "",
    next: Annotated[str, Form(max_length=LONGEST)] = "",
) -> Response:
    """Begin a session and go on to a page of ours; or the page again, saying what is wrong."""
    demand_own_page(request, services.settings.public_url)
    with reading(services.engine) as connection:
        try:
            if token:
                user_id = use_link_token(connection, token)
            else:
                user_id = proven(connection, services.settings, origin, username, password).user_id
        except (BadCredentials, TooManyRequests, Unauthorized) as error:
            said = f'<p class="failed" role="alert">{html.escape(error.detail)}</p>\n'
            return _page(said + _FIELDS, next, error.status)
        return _signed_in(connection, request, services, origin, former, user_id, next, is_linked=bool(token))


def _signed_in(
    connection: Connection,
    request: Request,
    services: Services,
    origin: Origin,
    former: str | None,
    user_id: str,
    wanted: str,
    *,
    is_linked: bool,
) -> Response:
    if former is not None:
        end_session(connection, former)
    session = begin_session(connection, services.settings, user_id)
    principal = session_principal(connection, session.id)
    if is_linked:
        target = Target(TargetKind.USER, principal.user_id, principal.name, principal.user_id)
        record(connection, origin.author(principal), Action.LOGIN_ACCEPTED, target, after={"by": "link"})
    response = RedirectResponse(_destination(wanted, principal), 303)
    keep_session(response, request, session)
    return response


def _destination(wanted: str, principal: Principal) -> str:
    if _OWN_PATH.fullmatch(wanted):
        return wanted
    return "/dagster/" if principal.is_admin else "/docs"


def _page(content: str, wanted: str, status: int = 200) -> Response:
    text, policy = _template()
    page = text.replace("{content}", content).replace("{next}", html.escape(wanted))
    return HTMLResponse(page, status, {POLICY: policy, "Cache-Control": "no-store"})


@cache
def _template() -> tuple[str, str]:
    """The page, and a policy by which it has its own style, no script, and posts only to this server."""
    text = Path(__file__).with_name("signin.html").read_text("utf-8")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rules = ("default-src 'none'", f"style-src 'sha256-{digest}'", "img-src data:", "form-action 'self'")
    return text, "; ".join((*rules, "frame-ancestors 'none'", "base-uri 'none'"))
