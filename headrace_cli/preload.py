"""Loads the code that the services need, so that the template's forks find it loaded.

Internal used: `dagster._grpc.server`, only to have it imported.
"""

from __future__ import annotations

import importlib

MODULES = (
    "dagster._grpc.server",
    "definitions.code_location",
    "definitions.daemon",
    "definitions.jobs",
    "definitions.webserver",
    "definitions.worker_pool",
    "headrace_cli.applications",
    "headrace_cli.configuration",
    "headrace_cli.preparation",
    "platform_core.logs",
)
"""What takes a service long to import; none of it makes a thread, a connection or a setting when imported."""


def preload() -> None:
    """Import all of it."""
    for name in MODULES:
        importlib.import_module(name)
