"""Both web applications on one port: the embedded form of what are two deployments in Kubernetes."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Literal

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from definitions.kubernetes.job import policy
from definitions.sandbox.machine import shortcomings
from headrace_cli.serve.extensions import installed_node_types
from headrace_cli.terminal.exit_codes import ExitCode
from platform_core.database.engine import Engine, build_engine
from platform_core.identity.keys import KeyRing
from platform_core.operation.metrics import Metrics
from platform_core.settings import Settings
from platform_core.web.server import Drain, Server, server_config
from stream_api.app import create_app as create_stream_app
from trigger_api.app import create_app as create_trigger_app

STREAM_PATH = re.compile(r"/api/v1/runs/[^/]+/(events|ws)/?|/api/v1/ws/?|/watch/.*|/asyncapi\.json")
"""The paths of the stream API, in full. Everything else belongs to the trigger API."""

STREAM_PREFIX = "/stream"
"""Under this prefix the stream API's own health, metrics and docs are reached, whose paths both applications have."""


Which = Literal["both", "trigger", "stream"]


@dataclass(frozen=True)
class _Services:
    """What both applications share in one process."""

    settings: Settings
    engine: Engine
    keys: KeyRing
    metrics: Metrics

    def trigger_app(self) -> FastAPI:
        node_types = installed_node_types(containers=self.settings.has_containers)
        app = create_trigger_app(
            self.settings,
            engine=self.engine,
            keys=self.keys,
            metrics=self.metrics,
            node_types=node_types,
            cluster=policy(self.settings),
        )
        if self.settings.launcher == "warm":  # else code runs in pods, of which this one knows nothing
            app.state.notices = {"sandbox": shortcomings() or "ok"}
        return app

    def stream_app(self) -> FastAPI:
        return create_stream_app(self.settings, engine=self.engine, keys=self.keys, metrics=self.metrics)


def combine(trigger_app: FastAPI, stream_app: FastAPI) -> Starlette:
    """One ASGI application of both; it runs both lifespans."""

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        chosen: ASGIApp = stream_app if STREAM_PATH.fullmatch(scope["path"]) else trigger_app
        await chosen(scope, receive, send)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with (
            trigger_app.router.lifespan_context(trigger_app),
            stream_app.router.lifespan_context(stream_app),
        ):
            yield

    routes = [Mount(STREAM_PREFIX, app=stream_app), Mount("/", app=dispatch)]
    return Starlette(lifespan=lifespan, routes=routes)


def serve(settings: Settings, listen_fd: int | None, which: Which = "both") -> int:
    """Serve until SIGTERM or SIGINT, on an inherited listening socket or on the settings' host and port.

    `which` application: one alone, as in a cluster, or both on one port.
    """
    assert settings.database_url is not None
    services = _Services(settings, build_engine(settings.database_url), KeyRing.load_or_create(settings), Metrics())
    try:
        application, drain = _application(services, which)
        config = server_config(
            application,
            host=settings.host,
            port=settings.port,
            proxy_headers=settings.trusted_proxies is not None,
            forwarded_allow_ips=settings.trusted_proxies or "",
        )
        server = Server(config, drain=drain)
        # uvicorn repeats the signal after its graceful end, for the handler that was there before.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _exit)
        server.run(sockets=None if listen_fd is None else [socket.socket(fileno=listen_fd)])
    finally:
        services.engine.dispose()
    return ExitCode.OK if server.started else ExitCode.BROKEN


def _application(services: _Services, which: Which) -> tuple[ASGIApp, Drain]:
    """The application, and how its streams end when the server stops."""
    if which == "trigger":
        return services.trigger_app(), _nothing_to_drain
    stream_app = services.stream_app()
    drain: Drain = stream_app.state.streams.drain
    return (stream_app if which == "stream" else combine(services.trigger_app(), stream_app)), drain


async def _nothing_to_drain() -> None:
    """Requests are short; the server waits for them anyway."""


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(ExitCode.OK)
