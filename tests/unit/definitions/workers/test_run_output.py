"""What a process writes is passed on line by line and written all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from definitions.shared.masking import Masking
from definitions.workers.run_output import LONGEST, RunOutput

Lines = list[tuple[str, str]]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Runs something with stdout and stderr in files and diverted; what the files hold then."""

    def run(
        write: Callable[[], None],
        on_line: Callable[[str, str], None],
        divert: Callable[[Callable[[str, str], None]], RunOutput] = RunOutput,
    ) -> tuple[str, str]:
        kept = os.dup(1), os.dup(2)
        paths = tmp_path / "out", tmp_path / "err"
        for fd, path in enumerate(paths, 1):
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(target, fd)
            os.close(target)
        try:
            output = divert(on_line)
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


def test_lines_are_passed_on_although_the_disk_is_full() -> None:
    lines: Lines = []
    kept = os.dup(1)
    try:
        with Path("/dev/full").open("wb", buffering=0) as full:
            os.dup2(full.fileno(), 1)
        output = RunOutput(lambda stream, text: lines.append((stream, text)))
        os.write(1, b"one\n")
        os.write(1, b"y" * 70_000 + b"\n")
        output.close()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert lines[0] == ("stdout", "one")
    assert "".join(text for _, text in lines[1:]) == "y" * 70_000


def test_a_secret_is_masked_wherever_writes_and_lines_cut_it(written: Callable[..., tuple[str, str]]) -> None:
    lines: Lines = []
    kept = Masking()
    kept.add("sk_live_4242424242424242")

    def write() -> None:
        os.write(1, b"x" * (LONGEST - 5) + b"sk_live_42424")
        os.write(1, b"24242424242\r\nsk_live_4242")

    divert = partial(RunOutput, masking=lambda: kept)
    out, _ = written(write, lambda stream, text: lines.append((stream, text)), divert)
    assert out.endswith("sk_live_4242")
    # Whether the first line comes in one piece or in two depends on how much of it is read at once.
    assert "".join(text for _, text in lines) == "x" * (LONGEST - 5) + "***" + "***"
    assert lines[-1] == ("stdout", "***")
