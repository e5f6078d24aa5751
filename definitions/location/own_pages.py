"""Lets only its own pages change anything in Dagster's UI, which takes every caller for us.

A page of another origin, open in the same browser, could otherwise launch runs: Dagster executes mutations that come by
GET, asks no WebSocket for its origin, and answers to any host name, so also to one that points here only since a moment
(DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from platform_core.settings import Settings

_READING = ("GET", "HEAD", "OPTIONS")
_POLICY_VIOLATION = 1008
"""The close code of RFC 6455, section 7.4.1; before the handshake it is a 403."""


class OwnPages:
    """An ASGI application that refuses, before another, what comes from a foreign page or to a foreign name."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._proxies = {name.strip().lower() for name in (settings.ui_names or "").split(",")} - {""}
        own = {settings.ui_host.lower(), _name_of(urlsplit(settings.ui_url or "").netloc)}
        self._names = self._proxies | own | {"localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send(
                {"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": bytes(refusal.body).decode()[:120]}
            )
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse(
                f"Dagster's UI does not answer to the host {host[:100]!r}: name it in HEADRACE_UI_NAMES.", 403
            )
        if (scope["type"] == "websocket" or scope["method"] not in _READING) and self._is_foreign(headers, host):
            return PlainTextResponse("A page of another origin may not use Dagster's UI.", 403)
        if scope["type"] == "http" and _is_query_by_get(scope, headers):
            return PlainTextResponse("GraphQL is answered by POST only.", 405, {"Allow": "POST"})
        return None

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        return name is not None and (name in self._names or _is_address(name))

    def _is_foreign(self, headers: Headers, host: str) -> bool:
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        netloc = urlsplit(origin).netloc.lower() if _parses(origin) else ""
        # A proxy may have changed the host, so its name counts; another port of one of our own is another origin.
        return netloc != host.lower() and _name_of(netloc) not in self._proxies


def _is_query_by_get(scope: Scope, headers: Headers) -> bool:
    # With text/html Dagster answers with the page of its explorer and executes nothing.
    return (
        scope["path"].rstrip("/").endswith("/graphql")
        and scope["method"] != "POST"
        and "text/html" not in headers.get("accept", "")
    )


def _name_of(netloc: str) -> str | None:
    if not _parses(f"//{netloc}"):
        return None
    return urlsplit(f"//{netloc}").hostname


def _parses(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
