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
from platform_core.web.origin import origin_of
from platform_core.web.problems import problem
from platform_core.web.services import Services
from trigger_api.dagster_ui.caller import administrator
from trigger_api.dagster_ui.headers import answered, asked, policy_for
from trigger_api.dagster_ui.own_pages import OwnPages
from trigger_api.dagster_ui.relay import relay
from trigger_api.dagster_ui.upstream import Upstream, target_of

SIGN_IN = "/signin"

_TRY_AGAIN_LATER = 1013
"""Of the registry of close codes that RFC 6455, section 11.7, set up."""

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
        if scope["type"] == "websocket":
            await self._converse(WebSocket(scope, receive, send))
        else:
            response = await self._response(Request(scope, receive))
            await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        try:
            return await self._answer(request, await self._caller(request))
        except Unauthorized as error:
            return _sign_in(request.scope) if _is_page(request) else problem(error)
        except HeadraceError as error:
            return problem(error)

    async def _caller(self, connection: HTTPConnection) -> Principal:
        self._own_pages.demand(connection)
        return await run_in_threadpool(administrator, self._services, connection)

    async def _answer(self, request: Request, caller: Principal) -> Response:
        headers = asked(request.headers.raw, self._pass_for(request, caller))
        answer = await self._upstream.send(request, headers)
        response = StreamingResponse(_body(answer), answer.status_code)
        policy = policy_for(request, self._services.settings.public_url)
        response.raw_headers = answered(answer.headers.raw, policy)
        return response

    async def _converse(self, browser: WebSocket) -> None:
        try:
            shown = asked([], self._pass_for(browser, await self._caller(browser)))
            target, protocols = target_of(browser.scope), browser.scope["subprotocols"]
            async with self._upstream.socket(target, shown, protocols) as ui:
                await relay(browser, ui, self._lapse(browser))
        except Unavailable as error:
            await browser.accept()
            await browser.close(_TRY_AGAIN_LATER, error.code)
        except HeadraceError:
            await browser.close()  # before it is accepted, that is a 403

    def _pass_for(self, connection: HTTPConnection, caller: Principal) -> str:
        return issue_pass(self._services.keys, origin_of(connection).author(caller))

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
