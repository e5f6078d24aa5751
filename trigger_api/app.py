"""The trigger application: built from settings by an entry point."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from anyio import CapacityLimiter
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.drafts.placement import ClusterPolicy
from graph_compiler.nodes.network import Network
from graph_compiler.nodes.node_type import NodeTypes
from platform_core.database import schema
from platform_core.database.engine import Engine
from platform_core.identity.keys import KeyRing
from platform_core.operation.dagster_ui import PREFIX as DAGSTER_UI
from platform_core.operation.metrics import Metrics
from platform_core.secret_sources.outside import OutsideSecrets
from platform_core.settings import Settings
from platform_core.triggers.delivery_writer import DeliveryWriter
from platform_core.web.application import build_application
from platform_core.web.services import Services
from trigger_api.api_keys.endpoints import router as api_keys
from trigger_api.audit.endpoints import router as audit
from trigger_api.auth.endpoints import router as auth
from trigger_api.auth.own_password import router as own_password
from trigger_api.auth.sessions import everywhere
from trigger_api.auth.sessions import router as sessions
from trigger_api.auth.signin import router as signin
from trigger_api.dagster_ui.proxy import DagsterUiProxy
from trigger_api.deliveries.endpoints import router as deliveries
from trigger_api.files.endpoints import router as files
from trigger_api.graphs.endpoints import router as graphs
from trigger_api.graphs.trying import router as trying
from trigger_api.live.checker import Checker
from trigger_api.live.endings import RunEndings
from trigger_api.live.known_webhooks import KnownWebhooks
from trigger_api.live.run_progress import RunProgress
from trigger_api.live.state import State
from trigger_api.runs.batches import router as batches
from trigger_api.runs.endpoints import router as runs
from trigger_api.runs.queue_metrics import QueueMetrics
from trigger_api.runs.uploads import router as uploads
from trigger_api.secrets.endpoints import router as secrets
from trigger_api.secrets.renewal import router as rotating_keys
from trigger_api.shared.graph_access import SpecCache
from trigger_api.triggers.endpoints import router as triggers
from trigger_api.users.endpoints import router as users
from trigger_api.waits.endpoints import router as waits
from trigger_api.webhooks.endpoints import router as webhooks
from trigger_api.webhooks.rotation import router as rotation

RECEIVERS = 4
"""Webhook calls that are checked and stored at once by one process."""


def create_app(
    settings: Settings,
    *,
    engine: Engine,
    keys: KeyRing,
    metrics: Metrics | None = None,
    node_types: NodeTypes | None = None,
    cluster: ClusterPolicy | None = None,
) -> FastAPI:
    """The application. The engine stays the caller's; `metrics` may be shared with another application of the process.

    It refuses to start (`SchemaTooNew`, `SchemaTooOld`) on a database that was not migrated to this code's revision.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(schema.check, engine)
        listening = asyncio.create_task(endings.listen())
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            await ui.close()

    endings = RunEndings(engine)
    metrics = metrics or Metrics()
    metrics.registry.register(QueueMetrics(engine))
    services = Services(settings, engine, keys, metrics)
    ui = DagsterUiProxy(services)
    app = build_application(
        "trigger_api",
        title="Headrace trigger API",
        services=services,
        # The first are matched first, and nothing is called as often as webhooks.
        routers=[
            waits,
            webhooks,
            auth,
            signin,
            sessions,
            everywhere,
            own_password,
            audit,
            users,
            api_keys,
            graphs,
            trying,
            triggers,
            rotation,
            batches,
            uploads,
            runs,
            files,
            deliveries,
            rotating_keys,
            secrets,
        ],
        lifespan=lifespan,
    )
    app.mount(DAGSTER_UI, ui)
    specs, outside = SpecCache(), OutsideSecrets.of(settings)
    app.state.trigger = State(
        Checker(
            engine,
            node_types or builtin_node_types(),
            cluster,
            settings.max_document_bytes,
            Network(settings.code_network_most),
        ),
        specs,
        endings,
        KnownWebhooks(services, specs, outside),
        RunProgress(engine),
        DeliveryWriter(engine),
        outside,
        CapacityLimiter(RECEIVERS),
    )
    return app
