"""The code location as Dagster's daemons see it: on one machine it is there once somebody has opened Dagster's UI.

Runs and timers need none of it; sensors of the code location are evaluated while it is there.
Internals used: `WorkspaceLoadTarget`, which a controller asks again for each refresh, and the target of a file.
"""

from __future__ import annotations

from collections.abc import Sequence

from dagster._core.remote_origin import CodeLocationOrigin
from dagster._core.workspace.load_target import WorkspaceFileTarget, WorkspaceLoadTarget

from definitions.instance import instance_files
from definitions.shared import addresses
from platform_core.settings import Settings


class HomeWorkspace(WorkspaceLoadTarget):
    """Our one code location, while its server takes connections or stands elsewhere."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = WorkspaceFileTarget([str(instance_files.workspace_file(settings))])

    def create_origins(self) -> Sequence[CodeLocationOrigin]:
        return self._file.create_origins() if addresses.is_code_server_there(self._settings) else []
