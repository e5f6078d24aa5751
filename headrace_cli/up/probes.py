"""How the supervisor sees from outside that a process works: by HTTP answers, with the standard library alone."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT = 5.0
_DAGSTER_STATE = """{
  instance { daemonHealth { allDaemonStatuses { required healthy lastHeartbeatTime } } }
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


def daemons_beat(ui_url: str) -> Callable[[float], bool]:
    """A probe of the daemon: each that has to run is healthy and has sent a heartbeat since the process started."""

    def probe(started_at: float) -> bool:
        health = (_dagster_state(ui_url).get("instance") or {}).get("daemonHealth") or {}
        needed = [status for status in health.get("allDaemonStatuses") or [] if status["required"]]
        return bool(needed) and all(
            status["healthy"] and (status["lastHeartbeatTime"] or 0.0) >= started_at for status in needed
        )

    return probe


def _dagster_state(ui_url: str) -> Mapping[str, Any]:
    status, body = _request("POST", f"{ui_url}/graphql", json.dumps({"query": _DAGSTER_STATE}))
    if status != 200:
        return {}
    data: Mapping[str, Any] | None = json.loads(body).get("data")
    return data or {}


def _request(method: str, url: str, body: str | None = None) -> tuple[int, bytes]:
    """Status and body of an answer; status 0 when there is none."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT)
    try:
        connection.request(method, address.path or "/", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
