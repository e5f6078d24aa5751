"""Carries a change of the graphs to Dagster's daemons and UI, which keep a copy of our code location.

Bursts of changes become one refresh. The UI is asked through its public GraphQL mutation. Internal used: the
controller's `_workspace_process_context`, whose `refresh_workspace()` the controller itself calls once a minute.
"""

from __future__ import annotations

import logging
import threading

import httpx
from dagster._daemon.controller import DagsterDaemonController

from definitions.shared.names import LOCATION

_MUTATION = "mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"
_SETTLE = 0.2
_TIMEOUT = 30.0
_logger = logging.getLogger("headrace.location")


class LocationRefresh:
    """A thread that refreshes after `request()`; the graphs of one burst are seen by one refresh."""

    def __init__(self, controller: DagsterDaemonController, ui_url: str | None) -> None:
        self._controller = controller
        self._ui_url = ui_url
        self._requested = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="location-refresh", daemon=True)
        self._thread.start()

    def request(self) -> None:
        self._requested.set()

    def close(self) -> None:
        self._closing.set()
        self._requested.set()
        self._thread.join(_TIMEOUT)

    def _run(self) -> None:
        while True:
            self._requested.wait()
            if self._closing.wait(_SETTLE):
                return
            self._requested.clear()
            self._refresh_ui()
            self._refresh_daemons()

    def _refresh_daemons(self) -> None:
        try:
            self._controller._workspace_process_context.refresh_workspace()
        except Exception:
            _logger.exception("The daemons' copy of the code location could not be refreshed.")

    def _refresh_ui(self) -> None:
        if self._ui_url is None:
            return
        body = {"query": _MUTATION, "variables": {"name": LOCATION}}
        try:
            httpx.post(f"{self._ui_url}/graphql", json=body, timeout=_TIMEOUT).raise_for_status()
        except httpx.HTTPError as error:
            _logger.warning("Dagster's UI could not be refreshed: %s", error)
