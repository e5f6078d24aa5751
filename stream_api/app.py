"""The stream application: built from settings by an entry point, connected for as long as it is served."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from platform_core.database import schema
from platform_core.database.engine import Engine
from platform_core.errors import Unavailable
from platform_core.identity.keys import KeyRing
from platform_core.operation.metrics import Metrics
from platform_core.settings import Settings
from platform_core.web.application import build_application
from platform_core.web.services import Services
from stream_api.asyncapi import router as asyncapi
from stream_api.routes.endpoints import router
from stream_api.routes.sockets import router as sockets
from stream_api.routes.watch import router as watch
from stream_api.serving.streams import Streams


def create_app(settings: Settings, *, engine: Engine, keys: KeyRing, metrics: Metrics | None = None) -> FastAPI:
    """An application that streams the events of the runs in the engine's database; the engine stays the caller's.

    It refuses to start (`SchemaTooNew`, `SchemaTooOld`) on a database that was not migrated to this code's revision.
    """
    services = Services(settings, engine, keys, metrics or Metrics())
    streams = Streams(services)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(schema.check, engine)
        async with streams.opened():
            yield

    def listener_is_connected() -> None:
        if not streams.listener.is_connected:
            raise Unavailable("The connection that listens for events is being made anew.")

    app = build_application(
        "stream_api",
        title="Headrace stream API",
        services=services,
        routers=[router, sockets, watch, asyncapi],
        lifespan=lifespan,
        pings={"listener": listener_is_connected},
    )
    app.state.streams = streams
    return app
