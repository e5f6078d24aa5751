"""`make demo`, as a reader of the README meets it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_demo_shows_a_signed_push_live_and_its_outputs() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    command = [sys.executable, str(ROOT / "examples" / "demo.py")]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout
    events = re.findall(r"^\d\d:\d\d:\d\d\.\d{3}  (\S+)", done.stdout, re.MULTILINE)
    assert [event for event in events if event.startswith("run.")] == ["run.queued", "run.started", "run.succeeded"]
    assert '"repository": "Codertocat/Hello-World"' in done.stdout
    assert re.search(r"Dagster's UI .*http://127\.0\.0\.1:\d+/dagster/runs/[0-9a-f-]{36}", done.stdout)
    assert done.stdout.endswith("Everything is stopped again.\n")
