"""Lets into Dagster's UI, which takes every caller for us, only what our own services ask, and notes for whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from definitions.instance.caller import CALLER
from platform_core.errors import Unauthorized
from platform_core.identity.keys import KeyRing
from platform_core.identity.ui_pass import HEADER, author_of
from platform_core.operation.dagster_ui import HEALTH

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADER = HEADER.lower().encode()
_REFUSAL = b"Dagster's UI is reached by the trigger API, at /dagster, by administrators who are signed in.\n"


class Door:
    """An ASGI application before that of Dagster."""

    def __init__(self, app: Application, keys: KeyRing) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and scope["path"] == HEALTH):
            await self._app(scope, receive, send)
            return
        try:
            shown = dict(scope["headers"]).get(_HEADER, b"")
            CALLER.set(author_of(self._keys, shown.decode("latin-1")))
        except Unauthorized:
            await _refuse(scope, send)
            return
        await self._app(scope, receive, send)


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(_REFUSAL)).encode())]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": _REFUSAL})
