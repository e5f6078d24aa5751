"""Only its own pages change anything in Dagster's UI.

A page of another origin, open in the same browser, could otherwise launch runs: the browser adds the session to what it
sends, Dagster executes mutations that come by GET, and asks no WebSocket for its origin. A foreign name may point here
only since a moment (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from platform_core.errors import Forbidden, MethodNotAllowed
from platform_core.settings import Settings

_READING = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"[a-z0-9._-]+(:\d+)?|\[[0-9a-f:.]+\](:\d+)?", re.IGNORECASE)


class OwnPages:
    """Refuses what comes from a foreign page or to a foreign name."""

    def __init__(self, settings: Settings) -> None:
        self._proxies = {name.strip().lower() for name in (settings.ui_names or "").split(",")} - {""}
        own = {settings.host.lower(), settings.ui_host.lower(), _name_of(urlsplit(settings.public_url or "").netloc)}
        self._names = self._proxies | own | {"localhost"}

    def demand(self, connection: HTTPConnection) -> None:
        """Raises `Forbidden`, and `MethodNotAllowed` for what only POST may execute."""
        host, method = connection.headers.get("host", ""), connection.scope.get("method")
        if not self._is_ours(host):
            raise Forbidden(f"Dagster's UI does not answer to the host {host[:100]!r}: name it in HEADRACE_UI_NAMES.")
        if method not in _READING and self._is_foreign(connection, host):
            raise Forbidden("A page of another origin may not use Dagster's UI.")
        if method not in (None, "POST") and _is_query(connection):
            raise MethodNotAllowed("GraphQL is answered by POST only.")

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        return name is not None and (name in self._names or _is_address(name))

    def _is_foreign(self, connection: HTTPConnection, host: str) -> bool:
        origin = connection.headers.get("origin")
        if origin is None:
            return connection.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        netloc = origin.partition("://")[2].lower()
        # A proxy may have changed the host, so its name counts; another port of one of our own is another origin.
        return netloc != host.lower() and _name_of(netloc) not in self._proxies


def _is_query(connection: HTTPConnection) -> bool:
    # With text/html Dagster answers with the page of its explorer and executes nothing.
    is_graphql = connection.scope["path"].rstrip("/").endswith("/graphql")
    return is_graphql and "text/html" not in connection.headers.get("accept", "")


def _name_of(netloc: str) -> str | None:
    """The host name of `name:port`; None if it is not of that form."""
    return urlsplit(f"//{netloc}").hostname if _HOST.fullmatch(netloc) else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
