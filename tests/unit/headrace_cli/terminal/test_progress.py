"""Live and plain views of a run."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from headrace_cli.terminal.progress import Lines, LiveTable


def event(kind: str, node: str | None = None, message: str = "", item: int | None = None) -> dict[str, Any]:
    return {
        "id": "1",
        "seq": 1,
        "ts": "2026-01-02T03:04:05+00:00",
        "type": kind,
        "node": node,
        "item": item,
        "message": message,
    }


def shown(*events: dict[str, Any]) -> list[str]:
    """What a terminal shows in the end."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=80)
    with LiveTable(console) as table:
        for one in events:
            table.show(one)
    with console.capture() as capture:
        console.print(table._table())
    return [line.rstrip() for line in capture.get().splitlines()]


def test_table_has_the_latest_state_of_every_node() -> None:
    lines = shown(
        event("run.started"),
        event("node.started", "a"),
        event("node.started", "b"),
        event("node.succeeded", "a"),
        event("node.failed", "b", "no luck"),
        event("node.skipped", "c"),
    )
    assert [line.split() for line in lines] == [["a", "done"], ["b", "failed", "no", "luck"], ["c", "skipped"]]


def test_items_of_a_node_have_rows_of_their_own() -> None:
    lines = shown(event("node.succeeded", "a", item=0), event("node.failed", "a", "x", item=1))
    assert [line.split() for line in lines] == [["a[0]", "done"], ["a[1]", "failed", "x"]]


def test_progress_of_a_running_node_is_shown_beside_it() -> None:
    assert shown(event("node.started", "a"), event("node.progress", "a", "3 of 9"))[0].endswith("3 of 9")


def test_output_of_nodes_scrolls_by_without_markup_or_terminal_control() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=80)
    with LiveTable(console) as table:
        table.show(event("stdout", "a", "[bold]plain[/bold] \x1b]0;title\x07"))
    assert "a: [bold]plain[/bold] \N{REPLACEMENT CHARACTER}]0;title\N{REPLACEMENT CHARACTER}" in out.getvalue()


def test_json_lines_are_the_events_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(as_json=True)
    lines.show(event("node.started", "ä"))
    lines.show(event("run.succeeded"))
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert printed == [event("node.started", "ä"), event("run.succeeded")]
