"""Events as lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_cli.terminal.event_lines import event_line, printable

EVENT: dict[str, Any] = {
    "id": "3",
    "run_id": "r",
    "seq": 3,
    "ts": "2026-01-02T03:04:05.678901+00:00",
    "type": "node.succeeded",
    "node": "score",
    "item": None,
    "level": "info",
    "message": "score succeeded",
    "data": {},
}


def test_line_names_type_node_and_message() -> None:
    assert event_line(EVENT)[8:] == ".678  node.succeeded  score         score succeeded"


def test_item_of_a_node_is_named() -> None:
    assert "  score[4]      " in event_line({**EVENT, "item": 4})


def test_event_of_the_run_itself_has_no_node() -> None:
    assert event_line({**EVENT, "type": "run.started", "node": None, "message": ""})[8:] == ".678  run.started     -"


@pytest.mark.parametrize("text", ["\x1b[2Jgone", "\x9b31m", "a\rb", "\x07"])
def test_terminal_control_is_taken_out(text: str) -> None:
    assert "\N{REPLACEMENT CHARACTER}" in printable(text)


@given(st.text())
def test_printable_text_keeps_its_length_and_its_visible_letters(text: str) -> None:
    result = printable(text)
    assert len(result) == len(text)
    assert all(b in (a, "\N{REPLACEMENT CHARACTER}") for a, b in zip(text, result, strict=True))
