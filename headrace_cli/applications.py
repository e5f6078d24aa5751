"""Both web applications on one port: the embedded form of what are two deployments in Kubernetes."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from headrace_cli.exit_codes import ExitCode
from headrace_cli.extensions import installed_node_types
from platform_core.database import build_engine
from platform_core.keys import KeyRing
from platform_core.metrics import Metrics
from platform_core.settings import Settings
from platform_core.web.server import Server, server_config
from stream_api.app import create_app as create_stream_app
from trigger_api.app import create_app as create_trigger_app

STREAM_PATH = re.compile(r"/api/v1/runs/[^/]+/(events|ws)/?|/api/v1/ws/?|/watch/.*|/asyncapi\.json")
"""The paths of the stream API, in full. Everything else belongs to the trigger API."""

STREAM_PREFIX = "/stream"
"""Under this prefix the stream API's own health, metrics and docs are reached, whose paths both applications have."""


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


def serve(settings: Settings, listen_fd: int | None) -> int:
    """Serve until SIGTERM or SIGINT, on an inherited listening socket or on the settings' host and port."""
    assert settings.database_url is not None
    keys, metrics = KeyRing.load_or_create(settings), Metrics()
    engine = build_engine(settings.database_url)
    try:
        stream_app = create_stream_app(settings, engine=engine, keys=keys, metrics=metrics)
        trigger_app = create_trigger_app(
            settings, engine=engine, keys=keys, metrics=metrics, node_types=installed_node_types()
        )
        config = server_config(combine(trigger_app, stream_app), host=settings.host, port=settings.port)
        server = Server(config, drain=stream_app.state.streams.drain)
        # uvicorn repeats the signal after its graceful end, for the handler that was there before.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _exit)
        server.run(sockets=None if listen_fd is None else [socket.socket(fileno=listen_fd)])
    finally:
        engine.dispose()
    return ExitCode.OK if server.started else ExitCode.BROKEN


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(ExitCode.OK)
