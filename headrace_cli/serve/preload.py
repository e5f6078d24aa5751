"""Loads the code that the services need, so that the template's forks find it loaded."""

from __future__ import annotations

import importlib

MODULES = (
    "dagster._grpc.server",
    "definitions.location.code_location",
    "definitions.daemon.daemon",
    "definitions.jobs",
    "definitions.location.webserver",
    "definitions.workers.worker_pool",
    "headrace_cli.serve.applications",
    "headrace_cli.home.configuration",
    "headrace_cli.serve.preparation",
    "platform_core.operation.logs",
)
"""What takes a service long to import; none of it makes a thread, a connection or a setting when imported."""


def preload() -> None:
    """Import all of it."""
    for name in MODULES:
        importlib.import_module(name)
