"""One `up` per home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headrace_cli.home.hold import hold
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode

HOLDER = """
import pathlib, sys
from headrace_cli.home.hold import hold
with hold(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_second_hold_names_the_holder(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(CommandError) as refusal, hold(tmp_path):
        pass
    assert refusal.value.exit_code is ExitCode.HELD
    assert refusal.value.message == f"{tmp_path} is held by another `headrace up`, process {os.getpid()}."


def test_hold_is_free_again_after_its_end(tmp_path: Path) -> None:
    for _ in range(2):
        with hold(tmp_path):
            assert (tmp_path / "up.lock").read_text() == f"{os.getpid()}\n"


def test_hold_of_a_killed_process_is_free(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CommandError, match=f"process {holder.pid}"), hold(tmp_path):
            pass
        holder.kill()
    with hold(tmp_path):
        pass
