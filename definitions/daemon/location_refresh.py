"""Carries a change of the graphs to Dagster's daemons and UI, which keep a copy of our code location.

Bursts of changes become one refresh. The UI is asked through its public GraphQL mutation. Internal used: the
controller's `_workspace_process_context`, whose `refresh_workspace()` the controller itself calls once a minute.
"""

from __future__ import annotations

import logging

import httpx
from dagster._daemon.controller import DagsterDaemonController

from definitions.shared import addresses
from definitions.shared.names import LOCATION
from platform_core.loop import Loop
from platform_core.settings import Settings

_MUTATION = "mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"
_SETTLE = 0.2
_TIMEOUT = 30.0
_logger = logging.getLogger("headrace.location")


class LocationRefresh:
    """Refreshes after `request()`; the graphs of one burst are seen by one refresh, and one that fails is repeated."""

    def __init__(self, controller: DagsterDaemonController, settings: Settings) -> None:
        self._controller = controller
        self._settings = settings
        self.loop = Loop("location-refresh", self._refresh, every=None, settle=_SETTLE, logger=_logger)

    def request(self) -> None:
        self.loop.wake()

    def _refresh(self) -> None:
        self._refresh_ui()
        self._controller._workspace_process_context.refresh_workspace()

    def _refresh_ui(self) -> None:
        ui_url = self._settings.ui_url
        if ui_url is None or not addresses.is_code_server_there(self._settings):
            return  # or the refresh would start it
        body = {"query": _MUTATION, "variables": {"name": LOCATION}}
        try:
            httpx.post(f"{ui_url}/graphql", json=body, timeout=_TIMEOUT).raise_for_status()
        except httpx.HTTPError as error:
            _logger.warning("Dagster's UI could not be refreshed: %s", error)
