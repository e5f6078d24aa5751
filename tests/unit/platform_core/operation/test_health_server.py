"""A process without HTTP of its own still tells whether it lives, is ready, and what it counts."""

from __future__ import annotations

import httpx
from prometheus_client import CollectorRegistry, Counter

from platform_core.errors import Unavailable
from platform_core.operation.health_server import HealthServer


def test_health_readiness_and_metrics_are_answered() -> None:
    registry = CollectorRegistry()
    Counter("headrace_test", "A counter.", registry=registry).inc()
    is_away = False

    def check() -> None:
        if is_away:
            raise Unavailable("It is away.")

    server = HealthServer("127.0.0.1", 0, registry, ready={"database": check})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
            assert client.get("/healthz").json() == {"status": "ok"}
            assert (client.get("/readyz").status_code, client.get("/nothing").status_code) == (200, 404)
            assert "headrace_test_total 1.0" in client.get("/metrics").text
            is_away = True
            answer = client.get("/readyz")
            assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "away": ["database"]})
            assert client.get("/healthz").status_code == 200
    finally:
        server.close()
