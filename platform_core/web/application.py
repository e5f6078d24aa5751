"""Assembles a web application from its routers and what both applications share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI
from fastapi_offline import FastAPIOffline

from platform_core.errors import InvalidRequest
from platform_core.web.body_limit import BodyLimit
from platform_core.web.health import health_router
from platform_core.web.openapi import install_openapi
from platform_core.web.problems import install_problems, problems
from platform_core.web.query import known_query
from platform_core.web.request_context import RequestContext
from platform_core.web.security_headers import SecurityHeaders
from platform_core.web.services import Services

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_application(
    name: str,
    *,
    title: str,
    services: Services,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    pings: Mapping[str, Callable[[], None]] | None = None,
) -> FastAPI:
    """An application named `name` in metrics, with problem documents, request ids, health routes and `/docs`.

    Each of its routes refuses query parameters that it does not declare.
    """
    # FastAPI's own /docs loads its scripts from a public CDN, which a closed network refuses: an empty page.
    app: FastAPI = FastAPIOffline(
        title=title,
        version=version("headrace"),
        lifespan=lifespan,
        redoc_url=None,
        dependencies=[Depends(known_query)],
        responses=problems(InvalidRequest),
    )
    app.state.services = services
    for router in routers:
        app.include_router(router)
    app.include_router(health_router(services, pings or {}))
    install_problems(app)
    install_openapi(app)
    app.add_middleware(BodyLimit, limit=services.settings.max_body_bytes)
    app.add_middleware(RequestContext, name=name, metrics=services.metrics)
    app.add_middleware(SecurityHeaders)
    return app
