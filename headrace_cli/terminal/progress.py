"""How a followed run is shown: a live table on a terminal, a line per event elsewhere, JSON lines on request."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from headrace_cli.terminal.event_lines import event_line, place, printable
from headrace_cli.terminal.terminal import say

_MARKS = {
    "node.started": ("running", "cyan"),
    "node.retrying": ("retrying", "yellow"),
    "node.succeeded": ("done", "green"),
    "node.failed": ("failed", "red"),
    "node.skipped": ("skipped", "dim"),
}
_SPOKEN = {"log", "stdout", "stderr"}
_TELLING = {"node.failed", "node.retrying"}
"""The events whose message says why."""
_COUNTED = ("node.started", "node.retrying", "node.failed", "node.skipped")


class Progress(Protocol):
    """Shows events one by one, between entering and leaving."""

    def __enter__(self) -> Progress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: Mapping[str, Any]) -> None: ...


class Lines:
    """One line per event, as text or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: Mapping[str, Any]) -> None:
        say(json.dumps(event, ensure_ascii=False) if self._as_json else event_line(event))


class NodeRow:
    """What is shown of a node: its own state, and how many of its items are in which."""

    def __init__(self) -> None:
        self._state: str | None = None
        self._message = ""
        self._items: dict[int, str] = {}
        self._counts: Counter[str] = Counter()

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in an event of the node, or of one of its items."""
        kind, item = event["type"], event["item"]
        if kind == "node.progress":
            self._message = printable(event["message"])
        elif item is None:
            self._state = kind
            self._message = printable(event["message"]) if kind in _TELLING else ""
        else:
            self._counts[self._items.get(item, kind)] -= item in self._items
            self._items[item] = kind
            self._counts[kind] += 1
            if kind in _TELLING:
                self._message = printable(f"{place(event)}: {event['message']}")

    def cells(self) -> tuple[RenderableType, Text]:
        """The state, and beside it the items and the last message."""
        state = self._state or ("node.started" if self._unended() else "node.succeeded")
        word, style = _MARKS[state]
        shown: RenderableType = Text(word, style=style)
        if word == "running":
            shown = Spinner("dots", text=Text(word, style=style))
        said = "  ".join(part for part in (self._tally(), self._message) if part)
        return shown, Text(said, overflow="ellipsis", no_wrap=True)

    def _unended(self) -> int:
        return self._counts["node.started"] + self._counts["node.retrying"]

    def _tally(self) -> str:
        if not self._items:
            return ""
        ended = len(self._items) - self._unended()
        parts = [f"{self._counts[kind]:,} {_MARKS[kind][0]}" for kind in _COUNTED if self._counts[kind]]
        return f"{ended:,}/{len(self._items):,} items" + (f" ({', '.join(parts)})" if parts else "")


class LiveTable:
    """A line for each node that changes in place, however many items it has; what nodes print scrolls above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._nodes: dict[str, NodeRow] = {}
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=10, transient=False)

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, event: Mapping[str, Any]) -> None:
        kind, node = event["type"], event["node"]
        if kind in _MARKS and "#" in node:
            return  # a turn of a `repeat`, of which there may be thousands: the node itself has a line
        if kind in _MARKS:
            self._nodes.setdefault(node, NodeRow()).take(event)
        elif kind == "node.progress" and node in self._nodes:
            self._nodes[node].take(event)
        elif kind in _SPOKEN:
            text = f"{place(event)}: {printable(event['message'])}"
            self._console.print(Text(text, style="dim" if kind == "log" else ""))

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        for node, row in list(self._nodes.items()):
            table.add_row(node, *row.cells())
        return table


def choose_progress(*, as_json: bool) -> Progress:
    """The form that fits where the output goes."""
    if as_json or not sys.stdout.isatty():
        return Lines(as_json=as_json)
    return LiveTable(Console())
