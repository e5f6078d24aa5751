"""A run's pod does not load the command line."""

from __future__ import annotations

import subprocess
import sys


def test_the_pod_of_a_run_loads_no_command_line() -> None:
    code = (
        "import sys; from definitions.workers import lean_imports; lean_imports.hide();"
        "from headrace_cli import start; from headrace_cli.serve import run_job; import definitions.workers.run_pod;"
        "print([name for name in ('typer', 'rich', 'fastapi', 'dagster_k8s', 'mako') if sys.modules.get(name)])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
