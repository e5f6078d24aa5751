"""HOME/up.json."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace_cli.home.up_record import UpRecord, read_record, remove_record, write_record

RECORD = UpRecord("id", 7, "http://127.0.0.1:1", "http://127.0.0.1:2", "postgresql:///x", {"api": 8})


def test_record_is_read_back_and_private(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path) == RECORD
    assert (tmp_path / "up.json").stat().st_mode & 0o777 == 0o600


def test_removed_record_is_gone_and_may_be_removed_again(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    remove_record(tmp_path)
    remove_record(tmp_path)
    assert read_record(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "\0"])
def test_record_that_is_not_ours_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "up.json").write_text(text)
    assert read_record(tmp_path) is None
