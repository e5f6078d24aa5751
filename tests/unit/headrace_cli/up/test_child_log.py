"""Log files of children."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace_cli.up.child_log import ChildLog, is_alarm


def test_lines_are_kept_and_shown(tmp_path: Path) -> None:
    shown: list[str] = []
    log = ChildLog(tmp_path / "logs" / "api.log", shown.append)
    log.write(b"one\n")
    log.write(b"two \xff, cut off")
    log.close()
    assert log.path.read_bytes() == b"one\ntwo \xff, cut off\n"
    assert shown == ["one", "two \N{REPLACEMENT CHARACTER}, cut off"]


def test_large_file_is_rotated_and_one_earlier_file_kept(tmp_path: Path) -> None:
    log = ChildLog(tmp_path / "api.log", lambda _: None, max_bytes=10)
    for number in range(6):
        log.write(b"line %d" % number)
    log.close()
    assert (tmp_path / "api.log").read_text() == "line 4\nline 5\n"
    assert (tmp_path / "api.log.1").read_text() == "line 2\nline 3\n"


def test_tail_is_the_last_lines_in_order(tmp_path: Path) -> None:
    log = ChildLog(tmp_path / "api.log", lambda _: None)
    for number in range(5):
        log.write(b"line %d" % number)
    assert log.tail(2) == ["line 3", "line 4"]
    log.close()


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-01 00:00:00 WARNING the queue is long",
        "2026-01-01T00:00:00Z [error    ] lost the database",
        '{"level": "critical", "event": "x"}',
        "2026-01-01 00:00:00 UTC [7] FATAL:  the database system is starting up",
    ],
)
def test_line_with_an_alarming_level_is_an_alarm(line: str) -> None:
    assert is_alarm(line)


@pytest.mark.parametrize("line", ["[info     ] errors: 0", '{"level": "info"}', "no warnings today"])
def test_other_lines_are_no_alarm(line: str) -> None:
    assert not is_alarm(line)
