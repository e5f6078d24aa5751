"""What is wrong with a home is found, with what to do about it."""

from __future__ import annotations

import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from headrace_cli.doctor.finding import Finding, Grade
from headrace_cli.doctor.home import examine_home
from platform_core.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


def _found(home: Path, port: int = 0) -> dict[str, Finding]:
    settings = Settings(home=home, port=port, ui_port=0)
    return {finding.name: finding for finding in reversed([*examine_home(settings)])}


def test_a_new_home_is_fine(home: Path) -> None:
    assert {finding.grade for finding in _found(home).values()} <= {Grade.OK, Grade.NOTE}
    assert {finding.grade for finding in _found(home / "not-yet").values()} <= {Grade.OK, Grade.NOTE}


def test_an_open_home_is_to_be_closed(home: Path) -> None:
    (home / "files").mkdir(mode=0o755)
    home.chmod(0o750)
    finding = _found(home)["home"]
    assert (finding.grade, finding.said) == (Grade.MEND, "open to other users of this machine: ., files")
    assert finding.advice is not None
    assert f"chmod -R go= {home}" in finding.advice


def test_a_port_that_is_taken_is_said(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        finding = _found(home, other.getsockname()[1])["ports"]
    assert finding.grade is Grade.MEND
    assert "in use" in finding.said
    assert "--port" in (finding.advice or "")


def test_a_master_key_that_is_missing_beside_a_database_is_said(home: Path) -> None:
    (home / "postgres").mkdir(mode=0o700)
    assert _found(home)["secret-key"].grade is Grade.MEND
    (home / "secret.key").touch(mode=0o600)
    assert _found(home)["secret-key"].grade is Grade.OK


def test_a_full_disk_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 100, 1000))
    assert _found(home)["disk"].grade is Grade.MEND
