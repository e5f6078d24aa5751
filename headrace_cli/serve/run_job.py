"""The process of a run's pod."""

from __future__ import annotations

import signal
import sys

from headrace_cli.serve import dagster_home

TERMINATED = 128 + signal.SIGTERM


def execute(run_id: str, worker: int) -> int:
    """Execute one run as this worker of it; the exit code. Raises `CommandError` without a database."""
    # The first process of a container ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    from definitions.workers import lean_imports

    # The garbage collector rests from here on while the code is loaded.
    lean_imports.hide()
    from headrace_cli.home.configuration import service_settings

    settings = service_settings()
    dagster_home.ensure(settings)
    from definitions.workers import run_pod

    return run_pod.main(settings, run_id, worker)
