"""A short soak: `make soak` with its load, its killing and its audit, which must find nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_soak_of_some_seconds_finds_no_violation() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "DAGSTER_"))}
    command = [sys.executable, "-m", "benchmarks.soak", "--seconds", "15", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, timeout=400)
    assert done.stdout, done.stderr[-3000:]
    figures = json.loads(done.stdout)
    assert figures["violations"] == []
    assert done.returncode == 0
    assert figures["sent"] == sum(figures["ends"].values()) > 50
    assert sum(figures["killed"].values()) > 0
