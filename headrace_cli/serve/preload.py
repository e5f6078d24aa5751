"""Loads the code that the services of `up` need, so that the template's forks find it loaded.

What Dagster's UI and the code server need beyond it they load themselves: they start when somebody opens the UI.
"""

from __future__ import annotations

import importlib

MODULES = (
    "definitions.daemon.daemon",
    "definitions.jobs",
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
