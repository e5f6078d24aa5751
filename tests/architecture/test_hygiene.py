"""Text files are clean: what a diff should not show, and what a reader should not have to guess."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
AS_THEY_ARE = ("tests/data/", "tests/graphs/", "requirements/")
"""Recorded deliveries, documents that are wrong on purpose, lock files."""
MOST_BYTES = 500_000
IGNORE = re.compile(r"#\s*(noqa|type: ignore)(?P<rules>:\s*[A-Z0-9, ]+|\[[\w, -]+\])?(?P<reason>.*)")


@lru_cache(maxsize=1)
def files() -> list[Path]:
    """Every file of the repository, those to be committed next included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in sorted(filter(None, names.split("\0"))) if (ROOT / name).is_file()]


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of each file that people write."""
    for path in files():
        name = str(path.relative_to(ROOT))
        data = path.read_bytes()
        if not name.startswith(AS_THEY_ARE) and b"\0" not in data:
            yield name, data.decode()


def lines_with(pattern: str) -> list[str]:
    found = re.compile(pattern)
    return [
        f"{name}:{number}"
        for name, text in texts()
        for number, line in enumerate(text.split("\n"), 1)
        if found.search(line)
    ]


def test_no_line_ends_in_white_space() -> None:
    assert lines_with(r"[ \t\r]$") == []


def test_no_conflict_marker_is_left() -> None:
    assert lines_with(r"^(<{7}|>{7}) ") == []


def test_every_file_ends_with_one_newline() -> None:
    assert [name for name, text in texts() if text and (not text.endswith("\n") or text.endswith("\n\n"))] == []


def test_no_file_is_large() -> None:
    assert [str(path.relative_to(ROOT)) for path in files() if path.stat().st_size > MOST_BYTES] == []


def test_every_ignore_names_its_rule_and_its_reason() -> None:
    bare = []
    for name, text in texts():
        if not name.endswith(".py"):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            ignore = IGNORE.search(line)
            if ignore and not (ignore["rules"] and re.search(r"\w", ignore["reason"])):
                bare.append(f"{name}:{number}")
    assert bare == []


def test_the_hooks_before_a_commit_fetch_nothing() -> None:
    configuration = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"repo: (\S+)", configuration) == ["local"]
    assert set(re.findall(r"language: (\S+)", configuration)) == {"system"}
