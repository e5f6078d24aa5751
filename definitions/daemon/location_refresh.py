"""Carries a change of the graphs to Dagster's daemons and UI, which keep a copy of our code location.

Bursts of changes become one refresh. The UI is asked through its public GraphQL mutation. Internal used: the
controller's `_workspace_process_context`, whose `refresh_workspace()` the controller itself calls once a minute.
"""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
from dagster._daemon.controller import DagsterDaemonController

from definitions.shared import addresses
from definitions.shared.names import LOCATION
from platform_core.audit.entry import SYSTEM
from platform_core.identity.keys import KeyRing
from platform_core.identity.ui_pass import HEADER, issue_pass
from platform_core.loop import Loop
from platform_core.operation.dagster_ui import PREFIX, dagster_ui
from platform_core.settings import Settings

_MUTATION = "mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"
_SETTLE = 0.2
_TIMEOUT = 30.0
_logger = logging.getLogger("headrace.location")


class LocationRefresh:
    """Refreshes after `request()`; the graphs of one burst are seen by one refresh, and one that fails is repeated."""

    def __init__(self, controller: DagsterDaemonController, settings: Settings, keys: KeyRing) -> None:
        self._controller = controller
        self._settings = settings
        self._keys = keys
        self.loop = Loop("location-refresh", self._refresh, every=None, settle=_SETTLE, logger=_logger)

    def request(self) -> None:
        self.loop.wake()

    def _refresh(self) -> None:
        self._refresh_ui()
        self._controller._workspace_process_context.refresh_workspace()

    def _refresh_ui(self) -> None:
        ui = dagster_ui(self._settings)
        if not addresses.is_code_server_there(self._settings) or (ui.socket and not Path(ui.socket).exists()):
            return  # or the refresh would start it
        headers = {HEADER: issue_pass(self._keys, SYSTEM)}
        body = {"query": _MUTATION, "variables": {"name": LOCATION}}
        try:
            with httpx.Client(transport=httpx.HTTPTransport(uds=ui.socket), timeout=_TIMEOUT) as client:
                client.post(f"{ui.url}{PREFIX}/graphql", json=body, headers=headers).raise_for_status()
        except httpx.HTTPError as error:
            _logger.warning("Dagster's UI could not be refreshed: %s", error)
