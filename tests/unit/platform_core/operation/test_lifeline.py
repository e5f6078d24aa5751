"""The lifeline between a supervisor and its services."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from platform_core.operation.lifeline import watch_lifeline

SERVICE = """
import signal, sys, time
from platform_core.operation.lifeline import hold_lifeline
{before}
hold_lifeline(sys.argv[1])
print("ready", flush=True)
time.sleep(600)
"""


def start_service(read_end: int, before: str = "") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVICE.format(before=before), str(read_end)],
        pass_fds=[read_end],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_end_is_reported_once_when_the_last_writer_is_gone() -> None:
    read_end, write_end = os.pipe()
    second = os.dup(write_end)
    ended = threading.Event()
    thread = watch_lifeline(read_end, ended.set)
    os.close(write_end)
    assert not ended.is_set()
    os.close(second)
    thread.join(10)
    assert ended.is_set()
    os.close(read_end)


def test_service_ends_by_sigterm_when_its_supervisor_is_gone() -> None:
    read_end, write_end = os.pipe()
    with start_service(read_end) as service:
        os.close(read_end)
        os.close(write_end)
        assert service.wait(10) == -15


def test_service_that_does_not_end_is_killed_with_its_process_group() -> None:
    read_end, write_end = os.pipe()
    deaf = "import platform_core.operation.lifeline as l; l.GRACE = 0.1; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    with start_service(read_end, deaf) as service:
        os.close(read_end)
        os.close(write_end)
        assert service.wait(10) == -9
