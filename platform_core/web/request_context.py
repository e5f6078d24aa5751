"""The outermost layer of a request: its id, its log line, its metrics, and the answer to the unforeseen."""

from __future__ import annotations

import logging
import re
import time
import uuid

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from platform_core.errors import HeadraceError
from platform_core.operation.metrics import Metrics
from platform_core.web.problems import problem

HEADER = "X-Request-ID"
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})

_log = logging.getLogger(__name__)


class RequestContext:
    """Pure ASGI, so that streams pass through untouched.

    The log line of a request whose `state.is_recorded` says that a record of it is kept is of level DEBUG.
    """

    def __init__(self, app: ASGIApp, *, name: str, metrics: Metrics) -> None:
        self._app = app
        self._name = name
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        offered = request.headers.get(HEADER, "")
        request_id = offered if _ACCEPTABLE.fullmatch(offered) else uuid.uuid4().hex
        request.state.request_id = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._answer(request, receive, send, request_id)

    async def _answer(self, request: Request, receive: Receive, send: Send, request_id: str) -> None:
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER.lower().encode(), request_id.encode())]
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(request.scope, receive, send_with_id)
        except Exception:
            _log.exception("unexpected error")
            if status is not None:
                raise
            unexpected = problem(HeadraceError("The server failed; look for the request id in its log."))
            await unexpected(request.scope, receive, send_with_id)
        finally:
            self._note(request, status, time.perf_counter() - began)

    def _note(self, request: Request, status: int | None, seconds: float) -> None:
        route = getattr(request.scope.get("route"), "path", "unmatched")
        self._metrics.request_seconds.labels(self._name, request.method, route, str(status or 499)).observe(seconds)
        fields = {"method": request.method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        fields["client"] = request.client.host if request.client else None
        is_quiet = route in _QUIET or getattr(request.state, "is_recorded", False)
        _log.log(logging.DEBUG if is_quiet else logging.INFO, "request", extra=fields)
