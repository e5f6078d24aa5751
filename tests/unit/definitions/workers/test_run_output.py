"""What a process writes is passed on line by line and written all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from definitions.workers.run_output import LONGEST, RunOutput

Lines = list[tuple[str, str]]


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Callable[[], None], Callable[[str, str], None]], tuple[str, str]]:
    """Runs something with stdout and stderr in files and diverted; what the files hold then."""

    def run(write: Callable[[], None], on_line: Callable[[str, str], None]) -> tuple[str, str]:
        kept = os.dup(1), os.dup(2)
        paths = tmp_path / "out", tmp_path / "err"
        for fd, path in enumerate(paths, 1):
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(target, fd)
            os.close(target)
        try:
            output = RunOutput(on_line)
            write()
            output.close()
        finally:
            for fd, original in enumerate(kept, 1):
                os.dup2(original, fd)
                os.close(original)
        return paths[0].read_text(), paths[1].read_text()

    return run


def test_lines_of_this_process_and_of_children_are_passed_on_and_written(
    written: Callable[..., tuple[str, str]],
) -> None:
    lines: Lines = []

    def write() -> None:
        os.write(1, b"one\ntw")
        os.write(1, b"o\n")
        subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('three')"], check=True)

    assert written(write, lambda stream, text: lines.append((stream, text))) == ("one\ntwo\n", "three")
    assert sorted(lines) == [("stderr", "three"), ("stdout", "one"), ("stdout", "two")]


def test_a_long_line_comes_in_parts(written: Callable[..., tuple[str, str]]) -> None:
    lines: Lines = []
    text = b"x" * (2 * LONGEST + 5)
    written(lambda: os.write(1, text + b"\n"), lambda stream, text: lines.append((stream, text)))
    assert "".join(text for _, text in lines) == text.decode()
    assert max(len(text) for _, text in lines) <= LONGEST


def test_a_listener_that_fails_loses_no_output(written: Callable[..., tuple[str, str]]) -> None:
    def fail(stream: str, text: str) -> None:
        raise RuntimeError

    assert written(lambda: os.write(1, b"a\nb\n"), fail) == ("a\nb\n", "")
