"""Headers on every answer: what a browser may do with it, no matter who made its content."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "Content-Security-Policy"
NO_PAGE = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The policy of answers that are data: shown as a page by mistake, they load and run nothing."""
SANDBOX = "sandbox"
"""The policy of content that users or senders made: shown as a page it is of no origin, and runs no script."""
TRANSPORT = "max-age=31536000"
"""Of answers over TLS (RFC 6797): for a year the browser asks for this host by TLS alone."""
DOCS_PAGES = ("/docs", "/docs/oauth2-redirect")
DOCS = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""The policy of the pages of `/docs`, whose inline script is the framework's and shows nothing of users."""
DEFAULTS = {POLICY: NO_PAGE, "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
"""What an answer that says nothing else says."""


_BEGINNINGS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
"""The messages of ASGI that have the headers of an answer."""
_EMPTY = ((b"content-length", b"0"),)


class SecurityHeaders:
    """Pure ASGI, outermost, so that refusals and unforeseen errors have the headers as well.

    A socket that is closed before it was accepted is refused by an answer of ours: the server's own has no headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        is_encrypted = scope.get("scheme") in ("https", "wss")
        is_refused = scope["type"] == "websocket" and "websocket.http.response" in scope.get("extensions", {})

        async def send_secured(message: Message) -> None:
            nonlocal is_refused
            if is_refused and message["type"] == "websocket.close":
                await send_secured({"type": "websocket.http.response.start", "status": 403, "headers": _EMPTY})
                message = {"type": "websocket.http.response.body", "body": b""}
            if message["type"] in _BEGINNINGS:
                is_refused = False
                message["headers"] = list(message.get("headers", ()))
                headers = MutableHeaders(scope=message)
                _secure(headers, place)
                if is_encrypted:
                    headers["Strict-Transport-Security"] = TRANSPORT
            await send(message)

        await self._app(scope, receive, send_secured)


def _secure(headers: MutableHeaders, place: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    if place in DOCS_PAGES:
        headers.setdefault(POLICY, DOCS)
    for name, value in DEFAULTS.items():
        headers.setdefault(name, value)
