"""Passes the messages of a WebSocket on, both ways, as long as both ends are there and the right to it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from starlette.websockets import WebSocket, WebSocketState
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from platform_core.errors import HeadraceError

_POLICY_VIOLATION = 1008
"""RFC 6455, section 7.4.1."""
_NOT_TO_BE_SENT = frozenset([1005, 1006, 1015])
"""Codes that say how a connection ended and that no message may carry; the same section."""
_GOING_AWAY = 1001


async def relay(browser: WebSocket, ui: ClientConnection, lapse: Awaitable[HeadraceError]) -> None:
    """Until one end closes, or `lapse` says why the right to it is gone."""
    await browser.accept(subprotocol=ui.subprotocol)
    lapsing = asyncio.ensure_future(lapse)
    tasks = [lapsing, asyncio.ensure_future(_ask(browser, ui)), asyncio.ensure_future(_answer(browser, ui))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if browser.client_state is WebSocketState.DISCONNECTED:
            return
        if lapsing.done():
            await browser.close(_POLICY_VIOLATION, lapsing.result().code)
        elif ui.close_code is not None:
            code = _GOING_AWAY if ui.close_code in _NOT_TO_BE_SENT else ui.close_code
            await browser.close(code, ui.close_reason)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ask(browser: WebSocket, ui: ClientConnection) -> None:
    while (message := await browser.receive())["type"] == "websocket.receive":
        content = message.get("text")
        await ui.send(message["bytes"] if content is None else content)


async def _answer(browser: WebSocket, ui: ClientConnection) -> None:
    try:
        async for message in ui:
            await (browser.send_text(message) if isinstance(message, str) else browser.send_bytes(message))
    except ConnectionClosed:
        return
