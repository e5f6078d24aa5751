"""Refuses a request body beyond the limit: by its announced length before a byte is read, else while it is read."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from platform_core.errors import TooLarge
from platform_core.web.problems import problem


class BodyLimit:
    """Pure ASGI; `limit` is in bytes."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._limit:
            await problem(TooLarge(f"A body has at most {self._limit} bytes."))(scope, receive, send)
            return
        left = self._limit

        async def receive_within_limit() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                # The framework passes on this exception from inside its parsing of bodies, and no other.
                raise HTTPException(TooLarge.status)
            return message

        await self._app(scope, receive_within_limit, send)
