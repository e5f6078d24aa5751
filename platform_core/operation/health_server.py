"""Health and metrics of a process that serves no HTTP otherwise: /healthz, /readyz, /metrics on a port of its own."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from platform_core.errors import Unavailable

Check = Callable[[], None]
_logger = logging.getLogger("headrace.health")


class HealthServer:
    """Serves until closed. Each check raises `Unavailable` when what it names does not answer."""

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        *,
        ready: Mapping[str, Check],
        live: Mapping[str, Check] | None = None,
    ) -> None:
        routes = {
            "/healthz": lambda: _verdict(live or {}),
            "/readyz": lambda: _verdict(ready),
            "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
        }
        responder = type("Responder", (_Responder,), {"routes": routes})
        self._server = ThreadingHTTPServer((host, port), responder)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on, also if 0 was asked for."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Responder(BaseHTTPRequestHandler):
    routes: ClassVar[Mapping[str, Callable[[], tuple[int, str, bytes]]]] = {}
    server_version = "headrace"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one request."""
        route = self.routes.get(self.path.partition("?")[0])
        status, kind, body = (404, "text/plain", b"not found\n") if route is None else route()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Probes are no news."""


def _verdict(checks: Mapping[str, Check]) -> tuple[int, str, bytes]:
    away = []
    for name, check in checks.items():
        try:
            check()
        except Unavailable:
            away.append(name)
        except Exception:
            _logger.exception("The check of %s failed.", name)
            away.append(name)
    content = {"status": "unavailable", "away": away} if away else {"status": "ok"}
    return 503 if away else 200, "application/json", json.dumps(content).encode() + b"\n"
