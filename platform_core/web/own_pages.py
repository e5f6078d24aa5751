"""Requests with a browser's session: only pages of ours may send those that change something (CSRF).

From the OWASP Cross-Site Request Forgery Prevention Cheat Sheet: a token derived from the session, and the origin.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from platform_core.errors import ForeignPage
from platform_core.identity.session_store import csrf_token

CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def demand_own_page(connection: HTTPConnection, public_url: str | None) -> None:
    """Raises `ForeignPage` unless the browser says that a page of this server sent the request.

    `public_url` is the address of this server where a proxy stands before it.
    """
    if not {"origin", "sec-fetch-site"} & set(connection.headers):
        raise ForeignPage("The request does not say which page sent it: it has neither Origin nor Sec-Fetch-Site.")
    refuse_foreign_page(connection, public_url)


def refuse_foreign_page(connection: HTTPConnection, public_url: str | None) -> None:
    """Raises `ForeignPage` if the browser says that a page of another origin sent the request."""
    site, origin = connection.headers.get("sec-fetch-site", "same-origin"), connection.headers.get("origin")
    if site not in ("same-origin", "none") or (origin is not None and not _is_own(connection, origin, public_url)):
        raise ForeignPage("A page of another origin sent this request.")


def demand_harmless(connection: HTTPConnection, session_id: str, public_url: str | None) -> None:
    """Raises `ForeignPage` for a request that changes something without proof that a page of ours sent it."""
    if connection.scope.get("method") in _SAFE:
        return
    demand_own_page(connection, public_url)
    given = connection.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode(), csrf_token(session_id).encode()):
        raise ForeignPage(f"This needs the header {CSRF_HEADER} with the token of GET /api/v1/auth/session.")


def _is_own(connection: HTTPConnection, origin: str, public_url: str | None) -> bool:
    scheme = "https" if connection.scope["scheme"] in ("https", "wss") else "http"
    own = {f"{scheme}://{connection.headers.get('host', '')}"}
    if public_url is not None:
        public = urlsplit(public_url)
        own.add(f"{public.scheme}://{public.netloc}")
    return origin.lower() in {address.lower() for address in own}
