"""Liveness, readiness and metrics of an application."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from platform_core.database.engine import ping
from platform_core.errors import Unavailable
from platform_core.web.problems import problems
from platform_core.web.services import Services


def health_router(services: Services, pings: Mapping[str, Callable[[], None]]) -> APIRouter:
    """Routes for the operator of the application.

    `pings` names what else must answer besides the database; each raises `Unavailable` when it does not.
    """
    router = APIRouter(tags=["operation"])
    dependencies = {"database": lambda: ping(services.engine), **pings}

    @router.get("/healthz", operation_id="live")
    def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @router.get("/readyz", operation_id="ready", responses=problems(Unavailable))
    def ready(request: Request) -> dict[str, str]:
        """Everything that requests need answers; what this machine cannot do is said beside."""
        away = []
        for name, check in dependencies.items():
            try:
                check()
            except Unavailable:
                away.append(name)
        if away:
            raise Unavailable(f"Not ready: no answer from {', '.join(away)}.", away=away)
        return dict.fromkeys(dependencies, "ok") | getattr(request.app.state, "notices", {})

    @router.get("/metrics", operation_id="metrics", response_class=Response)
    def metrics() -> Response:
        """Metrics in Prometheus' text format."""
        return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router
