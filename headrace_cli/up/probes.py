"""How the supervisor sees from outside that a process works: by what it answers or has reported.

By the standard library alone, since the supervisor is to stay small.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from definitions.shared import readiness

_TIMEOUT = 5.0
_DAGSTER_STATE = """{
  workspaceOrError { ... on Workspace { locationEntries {
    locationOrLoadError { __typename } } } }
}"""


def all_answer(*urls: str) -> Callable[[float], bool]:
    """A probe: GET gives a 200 for each of the urls."""
    return lambda _: all(_request("GET", url)[0] == 200 for url in urls)


def code_location_loaded(ui_url: str) -> Callable[[float], bool]:
    """A probe of the code server, as Dagster's UI sees it: every code location is loaded without an error."""

    def probe(_: float) -> bool:
        entries = (_dagster_state(ui_url).get("workspaceOrError") or {}).get("locationEntries") or []
        loaded = [(entry.get("locationOrLoadError") or {}).get("__typename") for entry in entries]
        return bool(loaded) and all(kind == "RepositoryLocation" for kind in loaded)

    return probe


def has_reported(home: Path, service: str) -> Callable[[float], bool]:
    """A probe of a service that serves nothing: it has reported since its start that it works."""
    return lambda started_at: readiness.reported_at(home, service) >= started_at


def _dagster_state(ui_url: str) -> Mapping[str, Any]:
    status, body = _request("POST", f"{ui_url}/graphql", json.dumps({"query": _DAGSTER_STATE}))
    if status != 200:
        return {}
    data: Mapping[str, Any] | None = json.loads(body).get("data")
    return data or {}


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    import ssl

    # Whatever its certificate says, it is our own process, and learns nothing.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)


def _request(method: str, url: str, body: str | None = None) -> tuple[int, bytes]:
    """Status and body of an answer; status 0 when there is none."""
    address = urlsplit(url)
    connection = _connection(address.scheme, address.hostname or "", address.port)
    try:
        connection.request(method, address.path or "/", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
