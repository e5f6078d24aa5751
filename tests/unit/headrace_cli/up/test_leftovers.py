"""Ending what an earlier `up` left."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

from headrace_cli.home.up_record import MARKER
from headrace_cli.up.leftovers import end_leftovers, processes_of
from tests.waiting import wait_until


def test_only_processes_with_the_marker_are_ended() -> None:
    ours, other = uuid.uuid4().hex, uuid.uuid4().hex
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    started = [subprocess.Popen(command, env={**os.environ, MARKER: up_id}) for up_id in (ours, other)]
    try:
        wait_until(lambda: processes_of(ours) and processes_of(other), "both run")
        assert end_leftovers(ours, grace=0.0) == 1
        assert processes_of(ours) == []
        assert [process.pid for process in processes_of(other)] == [started[1].pid]
    finally:
        for process in started:
            process.kill()
            process.wait()
