"""Dagster's UI behind our sign-in: an ASGI application to be mounted at its prefix."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from platform_core.errors import Forbidden, HeadraceError, Unauthorized, Unavailable
from platform_core.identity.auth import Principal
from platform_core.identity.ui_pass import issue_pass
from platform_core.operation.dagster_ui import PREFIX, dagster_ui
from platform_core.web.problems import problem
from platform_core.web.services import Services
from trigger_api.dagster_ui.caller import administrator
from trigger_api.dagster_ui.headers import answered, asked, policy_for
from trigger_api.dagster_ui.own_pages import OwnPages
from trigger_api.dagster_ui.relay import relay
from trigger_api.dagster_ui.upstream import Upstream, target_of

SIGN_IN = "/signin"

_log = logging.getLogger(__name__)


class DagsterUiProxy:
    """Passes on what an administrator asks, with a pass that names them."""

    path = PREFIX
    """As metrics and the log call it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._own_pages = OwnPages(services.settings)
        self._upstream = Upstream(dagster_ui(services.settings))

    async def close(self) -> None:
        await self._upstream.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        connection = HTTPConnection(scope)
        try:
            self._own_pages.demand(connection)
            caller = await run_in_threadpool(administrator, self._services, connection)
            if scope["type"] == "websocket":
                await self._converse(WebSocket(scope, receive, send), caller)
                return
            response = await self._answer(Request(scope, receive), caller)
        except Unauthorized as error:
            response = _sign_in(scope) if _is_page(connection) else problem(error)
        except HeadraceError as error:
            response = problem(error)
        await response(scope, receive, send)

    async def _answer(self, request: Request, caller: Principal) -> Response:
        headers = asked(request.headers.raw, self._pass_for(caller))
        answer = await self._upstream.send(request, headers)
        response = StreamingResponse(_body(answer), answer.status_code)
        policy = policy_for(request, self._services.settings.public_url)
        response.raw_headers = answered(answer.headers.raw, policy)
        return response

    async def _converse(self, browser: WebSocket, caller: Principal) -> None:
        target, protocols = target_of(browser.scope), browser.scope["subprotocols"]
        async with self._upstream.socket(target, asked([], self._pass_for(caller)), protocols) as ui:
            await relay(browser, ui, self._lapse(browser))

    def _pass_for(self, caller: Principal) -> str:
        return issue_pass(self._services.keys, caller.name)

    async def _lapse(self, connection: HTTPConnection) -> HeadraceError:
        """Why the caller may no longer; returns once that is so. While the database is away nobody loses a right."""
        while True:
            await asyncio.sleep(self._services.settings.right_check)
            try:
                await run_in_threadpool(administrator, self._services, connection)
            except (Unauthorized, Forbidden) as error:
                return error
            except Unavailable as error:
                _log.warning("the right to Dagster's UI could not be checked: %s", error)


async def _body(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


def _is_page(connection: HTTPConnection) -> bool:
    """Whether a person opens a page."""
    return connection.scope.get("method") == "GET" and "text/html" in connection.headers.get("accept", "")


def _sign_in(scope: Scope) -> Response:
    return RedirectResponse(f"{SIGN_IN}?next={quote(target_of(scope))}", 303)
