"""Both web applications on one port: the embedded form of what are two deployments in Kubernetes."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Literal

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from definitions.kubernetes.job import policy
from definitions.sandbox.machine import shortcomings
from headrace_cli.serve.extensions import installed_node_types
from headrace_cli.terminal.exit_codes import ExitCode
from platform_core.database.engine import Engine, build_engine
from platform_core.errors import NotFound
from platform_core.identity.keys import KeyRing
from platform_core.loop import Loop
from platform_core.operation.dagster_ui import PREFIX as DAGSTER_UI
from platform_core.operation.metrics import Metrics
from platform_core.settings import Settings
from platform_core.web.problems import problem
from platform_core.web.server import Drain, Server, edge_options, server_config
from platform_core.web.tls import LOOK_SECONDS, tls_of
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


class UiPort:
    """On the port that is Dagster's UI's own, another application answers with the UI alone."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = scope.get("server")
        if server is None or server[1] != self._port or scope["path"].startswith(f"{DAGSTER_UI}/"):
            await self._app(scope, receive, send)
        elif scope["path"] in ("/", DAGSTER_UI):
            await RedirectResponse(f"{DAGSTER_UI}/")(scope, receive, send)
        else:
            await problem(NotFound("Dagster's UI alone is at this port."))(scope, receive, send)


def serve(settings: Settings, listen_fds: Sequence[int], which: Which = "both") -> int:
    """Serve until SIGTERM or SIGINT, on inherited listening sockets or on the settings' host and port.

    `which` application: one alone, as in a cluster, or both on one port.
    """
    assert settings.database_url is not None
    tls = tls_of(settings)
    services = _Services(settings, build_engine(settings.database_url), KeyRing.load_or_create(settings), Metrics())
    with ExitStack() as cleanup:
        cleanup.callback(services.engine.dispose)
        if tls is not None:
            watch = Loop("tls", tls.refresh, every=LOOK_SECONDS)
            cleanup.callback(watch.close)
            watch.start()
        application, drain = _application(services, which)
        sockets = [socket.socket(fileno=descriptor) for descriptor in listen_fds]
        if len(sockets) > 1:
            application = UiPort(application, sockets[1].getsockname()[1])
        config = server_config(
            application,
            host=settings.host,
            port=settings.port,
            **edge_options(settings, tls),
        )
        server = Server(config, drain=drain)
        # uvicorn repeats the signal after its graceful end, for the handler that was there before.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _exit)
        server.run(sockets=sockets or None)
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
