"""Serves Dagster's own web interface on our workspace, at `/dagster`, for our own services.

On a socket that is inherited, or on the settings' host and port.

Internals used: what its command `dagster-webserver` does, which takes no socket: `WorkspaceProcessContext` and
`create_app_from_workspace_process_context`.
"""

from __future__ import annotations

import socket
from contextlib import suppress

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__

from definitions.execution.context import process_context
from definitions.instance import instance_files
from definitions.instance.job_snapshots import remember_jobs
from definitions.location.door import Door
from definitions.shared import addresses
from platform_core.operation.dagster_ui import PORT, PREFIX
from platform_core.settings import Settings

_STATEMENT_MS = 15_000
_RECYCLE_SECONDS = 3600
_OVERFLOW = 20
_POLL_MS = 2000
"""All four as the command has them."""


def main(settings: Settings, listen_fd: int | None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    remember_jobs()
    addresses.wait_for_code_server(settings)
    target = WorkspaceFileTarget([str(instance_files.workspace_file(settings))])
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_MS, _RECYCLE_SECONDS, _OVERFLOW)
        with WorkspaceProcessContext(instance, target, version=__version__) as workspace:
            app = Door(create_app_from_workspace_process_context(workspace, PREFIX, _POLL_MS), process_context().keys)
            port = PORT if settings.ui_port is None else settings.ui_port
            config = uvicorn.Config(app, host=settings.ui_host, port=port, proxy_headers=False, log_level="warning")
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run(None if listen_fd is None else [socket.socket(fileno=listen_fd)])
    return 0
