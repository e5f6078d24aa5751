"""Carries a change of the graphs to Dagster's daemons and UI, which keep a copy of our code location.

Bursts of changes become one refresh. The UI is asked through its public GraphQL mutation. Internal used: the
controller's `_workspace_process_context`, whose `refresh_workspace()` the controller itself calls once a minute.
"""

from __future__ import annotations

import logging

import httpx
from dagster._daemon.controller import DagsterDaemonController

from definitions.shared.names import LOCATION
from platform_core.loop import Loop

_MUTATION = "mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"
_SETTLE = 0.2
_TIMEOUT = 30.0
_logger = logging.getLogger("headrace.location")


class LocationRefresh:
    """Refreshes after `request()`; the graphs of one burst are seen by one refresh, and one that fails is repeated."""

    def __init__(self, controller: DagsterDaemonController, ui_url: str | None) -> None:
        self._controller = controller
        self._ui_url = ui_url
        self.loop = Loop("location-refresh", self._refresh, every=None, settle=_SETTLE, logger=_logger)

    def request(self) -> None:
        self.loop.wake()

    def _refresh(self) -> None:
        self._refresh_ui()
        self._controller._workspace_process_context.refresh_workspace()

    def _refresh_ui(self) -> None:
        if self._ui_url is None:
            return
        body = {"query": _MUTATION, "variables": {"name": LOCATION}}
        try:
            httpx.post(f"{self._ui_url}/graphql", json=body, timeout=_TIMEOUT).raise_for_status()
        except httpx.HTTPError as error:
            _logger.warning("Dagster's UI could not be refreshed: %s", error)
