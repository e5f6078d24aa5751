"""The server of Dagster's UI, as the proxy reaches it: by HTTP and by WebSocket, through a unix socket or a port.

In a home it starts when it is first asked, and what asks waits meanwhile: the supervisor holds its socket.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.requests import Request
from starlette.types import Scope
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import InvalidHandshake
from websockets.typing import Subprotocol

from platform_core.errors import Unavailable
from platform_core.operation.dagster_ui import DagsterUi
from trigger_api.dagster_ui.headers import Header

START_SECONDS = 60.0
"""How long an answer may take, the start of the UI included."""
_CONNECTIONS = 40

_log = logging.getLogger(__name__)


class Upstream:
    """Asks the UI. Close it at the end."""

    def __init__(self, ui: DagsterUi) -> None:
        self._ui = ui
        self._timeout = httpx.Timeout(START_SECONDS, connect=5.0)
        transport = httpx.AsyncHTTPTransport(uds=ui.socket, limits=httpx.Limits(max_connections=_CONNECTIONS))
        self._client = httpx.AsyncClient(transport=transport, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def send(self, request: Request, headers: list[Header]) -> httpx.Response:
        """The answer, whose body is still to be read; close it. Raises `Unavailable`."""
        url = httpx.URL(self._ui.url).copy_with(raw_path=target_of(request.scope))
        has_body = not {"content-length", "transfer-encoding"}.isdisjoint(request.headers)
        forwarded = httpx.Request(
            request.method,
            url,
            headers=headers,
            content=request.stream() if has_body else None,
            extensions={"timeout": self._timeout.as_dict()},
        )
        try:
            return await self._client.send(forwarded, stream=True, follow_redirects=False)
        except httpx.TransportError as error:
            raise _absent(error) from error

    @asynccontextmanager
    async def socket(
        self, target: bytes, headers: list[Header], protocols: list[str]
    ) -> AsyncIterator[ClientConnection]:
        """An open WebSocket. Raises `Unavailable`."""
        url = f"ws{self._ui.url.removeprefix('http')}{target.decode('ascii')}"
        try:
            opened = await self._opening(
                url,
                subprotocols=[Subprotocol(protocol) for protocol in protocols] or None,
                additional_headers=[(name.decode(), value.decode()) for name, value in headers],
                user_agent_header=None,
                compression=None,
                proxy=None,
                open_timeout=START_SECONDS,
                max_size=None,
            )
        except (OSError, InvalidHandshake) as error:
            raise _absent(error) from error
        async with opened:
            yield opened

    def _opening(self, url: str, **options: Any) -> connect:
        return connect(url, **options) if self._ui.socket is None else unix_connect(self._ui.socket, url, **options)


def target_of(scope: Scope) -> bytes:
    """Path and query of a request as they were sent."""
    path, query = scope["raw_path"], scope["query_string"]
    assert isinstance(path, bytes)
    assert isinstance(query, bytes)
    return path + b"?" + query if query else path


def _absent(error: Exception) -> Unavailable:
    _log.warning("Dagster's UI does not answer: %s: %s", type(error).__name__, error)
    return Unavailable("Dagster's UI does not answer. Its own log says why (logs/ui.log of a home).")
