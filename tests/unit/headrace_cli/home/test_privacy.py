"""A home of before is closed to other users at start, and nothing that is made later is open to them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace_cli.home.privacy import close_to_others


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def _modes(home: Path) -> dict[str, str]:
    return {path.relative_to(home).as_posix(): stat.filemode(path.stat().st_mode) for path in [home, *home.iterdir()]}


def test_what_was_open_is_closed_and_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "files" / "ada").mkdir(parents=True)
    (home / "values").mkdir(mode=0o700)
    (home / "up.json").write_text("{}")
    (home / "elsewhere").symlink_to(tmp_path)
    assert close_to_others(home) == [".", "files", "up.json"]
    assert {name: mode for name, mode in _modes(home).items() if name != "elsewhere"} == {
        ".": "drwx-----x",
        "files": "drwx------",
        "values": "drwx------",
        "up.json": "-rw-------",
    }
    assert close_to_others(home) == []


def test_what_is_made_later_is_closed_with_its_parents(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    close_to_others(tmp_path)
    (tmp_path / "files" / "eva" / "first").mkdir(parents=True, mode=0o700)
    (tmp_path / "files" / "eva" / "x.txt").write_text("x")
    found = {path.name: stat.filemode(path.stat().st_mode) for path in (tmp_path / "files").rglob("*")}
    assert found == {"eva": "drwx------", "first": "drwx------", "x.txt": "-rw-------"}
