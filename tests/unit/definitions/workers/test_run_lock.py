"""Who executes a run, seen from other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from definitions.workers.run_lock import RunLock, RunTaken, remove_stale, worker_of

_HOLD = """
import subprocess, sys
from pathlib import Path
from definitions.workers.run_lock import RunLock
with RunLock(Path(sys.argv[1]), sys.argv[2]):
    if len(sys.argv) > 3:
        child = subprocess.Popen(["sleep", "600"], close_fds=False)
        print(child.pid, flush=True)
    else:
        print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path, run_id: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that holds the run, and what it printed; it lets go when its input ends."""
    command = [sys.executable, "-c", _HOLD, str(folder), run_id, *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield process, line.strip()
        finally:
            process.kill()


def test_held_run_is_taken_and_names_its_worker(tmp_path: Path) -> None:
    with holder(tmp_path, "run") as (process, _):
        assert worker_of(tmp_path, "run") == process.pid
        with pytest.raises(RunTaken), RunLock(tmp_path, "run"):
            pass
        assert worker_of(tmp_path, "run") == process.pid
        with RunLock(tmp_path, "other"):
            pass


def test_run_is_free_again_once_it_is_let_go(tmp_path: Path) -> None:
    with holder(tmp_path, "run") as (process, _):
        process.communicate("")
    assert worker_of(tmp_path, "run") is None
    with RunLock(tmp_path, "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_killed_worker_lets_go_even_while_its_child_lives(tmp_path: Path) -> None:
    with holder(tmp_path, "run", "with child") as (process, child):
        process.kill()
        process.wait(30)
        try:
            os.kill(int(child), 0)
            assert worker_of(tmp_path, "run") is None
            with RunLock(tmp_path, "run"):
                pass
        finally:
            os.kill(int(child), signal.SIGKILL)


def test_unknown_run_has_no_worker(tmp_path: Path) -> None:
    assert worker_of(tmp_path, "run") is None
    assert list(tmp_path.iterdir()) == []


def test_only_files_of_dead_workers_are_removed(tmp_path: Path) -> None:
    (tmp_path / "pool.sock").touch()
    with holder(tmp_path, "dead") as (process, _):
        process.kill()
        process.wait(30)
    with holder(tmp_path, "alive"):
        remove_stale(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"alive.run", "pool.sock"}
