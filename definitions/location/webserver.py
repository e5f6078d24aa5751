"""Serves Dagster's own web interface on our workspace, by the command `dagster-webserver`."""

from __future__ import annotations

from contextlib import suppress

from dagster_webserver.cli import dagster_webserver

from definitions.instance import instance_files
from definitions.instance.job_snapshots import remember_jobs
from definitions.shared import addresses
from platform_core.settings import Settings


def main(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    remember_jobs()
    addresses.wait_for_code_server(settings)
    options = ["--host", settings.ui_host, "--port", str(settings.ui_port)]
    options += ["--workspace", str(instance_files.workspace_file(settings)), "--log-level", "warning"]
    with suppress(KeyboardInterrupt):
        dagster_webserver.main(options, standalone_mode=False)
    return 0
