"""The web server: uvicorn, made to let streams say good-bye before it closes their connections."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from platform_core.settings import Settings
from platform_core.web.tls import ServerTls

DRAIN_SECONDS = 5.0
"""How long streams may take to end when the server stops; requests have the rest of what a stop may take."""

STOP_SECONDS = 5
"""How long requests may take after that before they are canceled."""

LARGEST_MESSAGE = 1024 * 1024
"""Bytes of the largest message a WebSocket client may send; what a server asks a client to send back fits into it."""

_log = logging.getLogger(__name__)

Drain = Callable[[], Awaitable[None]]


class Server(uvicorn.Server):
    """Stops in this order: no new connections, streams drained, requests answered, application ended."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As the parent, after the streams."""
        for server in self.servers:
            server.close()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._drain()
        except TimeoutError:
            _log.warning("some streams did not end within %g s and are cut", DRAIN_SECONDS)
        await super().shutdown(sockets)


def edge_options(settings: Settings, tls: ServerTls | None) -> dict[str, Any]:
    """Options of `server_config` for what is between us and the clients: proxies that are believed, and TLS.

    Of `X-Forwarded-For` the rightmost address counts that is no trusted proxy.
    """
    proxies = settings.trusted_proxies
    return {
        "proxy_headers": proxies is not None,
        "forwarded_allow_ips": proxies or "",
        "ssl_context_factory": None if tls is None else lambda *_: tls.context,
    }


def server_config(app: ASGIApp, **options: Any) -> uvicorn.Config:
    """uvicorn's configuration for an application of ours."""
    defaults: dict[str, Any] = {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": STOP_SECONDS,
        # The library believes what anybody on this machine says of where a call came from.
        "proxy_headers": False,
        "ws": "websockets-sansio",
        "ws_max_size": LARGEST_MESSAGE,
        # Compression costs 300 kB a connection, and a proxy that wants it can do it once for all.
        "ws_per_message_deflate": False,
    }
    return uvicorn.Config(app, **defaults | options)
