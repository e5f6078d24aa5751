"""What protection and orphans' ends mean, seen from real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from definitions.sandbox import process
from tests.waiting import wait_until


@contextmanager
def running(program: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A Python program, and the words of the first line it prints."""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            yield started, started.stdout.readline().split()
        finally:
            started.kill()


def test_a_process_knows_its_age() -> None:
    with running("import time; from definitions.sandbox import process; print(process.age()); input()") as (_, [age]):
        assert 0 < float(age) < 60
    assert process.age() > float(age)


def test_a_protected_process_and_its_forks_cannot_be_read_by_others_of_its_user() -> None:
    program = """
import ctypes, os
from definitions.sandbox import process
GET_DUMPABLE = 3
before = ctypes.CDLL(None).prctl(GET_DUMPABLE, 0, 0, 0, 0)
process.protect_process()
if os.fork() == 0:
    print(before, ctypes.CDLL(None).prctl(GET_DUMPABLE, 0, 0, 0, 0), flush=True)
"""
    with running(program) as (_, words):
        assert words == ["1", "0"]


def test_end_children_ends_orphans_and_spares_those_named() -> None:
    program = """
import os, time
from definitions.sandbox import process
process.adopt_orphans()
def sleeper():
    pid = os.fork()
    if pid == 0:
        time.sleep(600)
    return pid
spared = sleeper()
read, write = os.pipe()
middle = os.fork()
if middle == 0:
    os.setsid()
    os.write(write, str(sleeper()).encode())
    os._exit(0)
orphan = int(os.read(read, 20))
process.end_children(spare={spared})
left = process.descendants(os.getpid())
process.end_children()
print(spared, orphan, *left, flush=True)
"""
    with running(program) as (_, words):
        spared, orphan, *left = map(int, words)
        assert left == [spared]
        wait_until(lambda: not psutil.pid_exists(orphan) and not psutil.pid_exists(spared), "all are gone")


def test_a_process_dies_with_its_parent() -> None:
    program = """
import os, signal, time
from definitions.sandbox import process
pid = os.fork()
if pid == 0:
    process.die_with_parent(signal.SIGKILL)
    print(os.getpid(), flush=True)
    time.sleep(600)
os.wait()
"""
    with running(program) as (started, words):
        child = int(words[0])
        started.kill()
        wait_until(lambda: not psutil.pid_exists(child), "the child is gone")


def test_a_signal_reaches_a_child_and_nobody_who_has_its_id_after_it_was_reaped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        process.send_to_child(child.pid, signal.SIGTERM)
        assert child.wait(30) == -signal.SIGTERM
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: sent.append(pid))
    process.send_to_child(child.pid, signal.SIGKILL)
    assert sent == []


def test_close_all_but_keeps_only_the_named() -> None:
    program = """
import os
from definitions.sandbox import process
kept, closed = os.pipe()
process.close_all_but({0, 1, 2, kept})
try:
    os.fstat(closed)
except OSError:
    print("closed", os.fstat(kept).st_nlink, flush=True)
"""
    with running(program) as (_, words):
        assert words == ["closed", "1"]


def test_descendants_are_those_below_a_process() -> None:
    program = "import subprocess; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); p.wait()"
    with running(program) as (started, words):
        child = int(words[0])
        assert process.descendants(started.pid) == [child]
        assert {started.pid, child} <= set(process.descendants(os.getpid()))
        assert child not in process.descendants(os.getpid(), spare={started.pid})
        psutil.Process(child).kill()


def test_stepping_back_counts_for_the_session_where_the_kernel_has_such_groups() -> None:
    program = """
import os
from pathlib import Path
from definitions.sandbox import process
os.setsid()
process.step_back(5)
process.step_back(2)
group = Path("/proc/self/autogroup")
print(os.nice(0), group.read_text().split()[-1] if group.exists() else os.nice(0), flush=True)
"""
    with running(program) as (_, words):
        before = os.nice(0)
        assert words == [str(before + 7), str(before + 7)]
