"""Which headers pass between a browser and Dagster's UI, and what its pages may do in the browser."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from platform_core.identity.ui_pass import HEADER
from platform_core.operation.dagster_ui import PREFIX
from platform_core.web.security_headers import POLICY

Header = tuple[bytes, bytes]

_HOP_BY_HOP = frozenset(
    [
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ]
)
"""RFC 9110, section 7.6.1, with the older names that it lists."""
_OURS = frozenset([b"authorization", b"cookie", b"expect", HEADER.lower().encode()])
"""Said to us, or for us alone to say."""
_NOT_ITS_TO_SAY = frozenset(
    [b"set-cookie", b"set-cookie2", b"clear-site-data", b"service-worker-allowed", b"server", b"date"]
)
"""What would change more of the browser's state of our origin than this page; as for the answers of webhooks."""


def asked(headers: Iterable[Header], shown_pass: str) -> list[Header]:
    """What the UI is sent of a request's headers, and the pass."""
    return [*_passed(headers, _OURS), (HEADER.encode(), shown_pass.encode())]


def answered(headers: Iterable[Header], policy: str) -> list[Header]:
    """What the browser is sent of an answer's headers; the policy holds beside the UI's own."""
    kept = _passed(headers, _NOT_ITS_TO_SAY)
    return [
        *((name, _within(value) if name.lower() == b"location" else value) for name, value in kept),
        (POLICY.lower().encode(), policy.encode()),
    ]


def policy_for(connection: HTTPConnection, public_url: str | None) -> str:
    """Dagster's pages load from and speak to Dagster's UI alone: what they show may be made by users.

    Our API is of the same origin, where 'self' would let them use the session for everything.
    """
    own, sockets = "'self'", ""
    hosts = {connection.headers["host"], urlsplit(public_url or "").netloc or connection.headers["host"]}
    if not any(host.startswith("[") for host in hosts):  # a policy cannot name an IPv6 address
        own = " ".join(f"{scheme}://{host}{PREFIX}/" for host in sorted(hosts) for scheme in ("http", "https"))
        sockets = own.replace("http", "ws")
    return (
        f"default-src 'none'; script-src {own} 'unsafe-inline'; worker-src {own} blob:; "
        f"connect-src {own} {sockets}; style-src {own} 'unsafe-inline'; img-src {own} data: blob:; "
        f"font-src {own} data:; media-src {own}; manifest-src {own}; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def _passed(headers: Iterable[Header], withheld: frozenset[bytes]) -> list[Header]:
    headers = list(headers)
    named = {
        token.strip().lower() for name, value in headers if name.lower() == b"connection" for token in value.split(b",")
    }
    return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP | withheld | named]


def _within(location: bytes) -> bytes:
    """A redirect to a path: the UI does not know by which address a browser reaches it."""
    parts = urlsplit(location)
    return parts._replace(scheme=b"", netloc=b"").geturl()
