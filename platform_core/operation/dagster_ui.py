"""Where our services reach Dagster's UI, and where people do."""

from __future__ import annotations

from dataclasses import dataclass

from platform_core.folders import socket_folder
from platform_core.settings import Settings

PREFIX = "/dagster"
"""Path of the trigger API at which the UI is, for those who may; the UI itself serves under it, too."""
HEALTH = f"{PREFIX}/server_info"
"""What it answers to everybody who reaches it: the versions of Dagster."""
PORT = 3000
"""Where it listens if it is a service of its own and the settings say nothing else."""


@dataclass(frozen=True)
class DagsterUi:
    """The address of the UI's own server: `url` without a path, reached through the unix `socket` if there is one."""

    url: str
    socket: str | None


def dagster_ui(settings: Settings) -> DagsterUi:
    """A socket of the home unless the settings name an address."""
    if settings.ui_url is None:
        return DagsterUi("http://localhost", str(socket_folder(settings.home, "run") / "ui.sock"))
    return DagsterUi(settings.ui_url.rstrip("/"), None)
