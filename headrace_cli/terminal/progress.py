"""How a followed run is shown: a live table on a terminal, a line per event elsewhere, JSON lines on request."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
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


class LiveTable:
    """A table of the nodes that changes in place; what nodes print scrolls above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._nodes: dict[str, tuple[str, str, str]] = {}
        self._started: dict[str, str] = {}
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=10, transient=False)

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, event: Mapping[str, Any]) -> None:
        kind, where = event["type"], place(event)
        if kind in _MARKS:
            word, style = _MARKS[kind]
            message = event["message"] if kind in {"node.failed", "node.retrying"} else ""
            self._nodes[where] = (word, style, printable(message))
        elif kind == "node.progress" and where in self._nodes:
            word, style, _ = self._nodes[where]
            self._nodes[where] = (word, style, printable(event["message"]))
        elif kind in _SPOKEN:
            self._console.print(Text(f"{where}: {printable(event['message'])}", style="dim" if kind == "log" else ""))

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        for where, (word, style, message) in self._nodes.items():
            state = Spinner("dots", text=Text(word, style=style)) if word == "running" else Text(word, style=style)
            table.add_row(where, state, Text(message, overflow="ellipsis", no_wrap=True))
        return table


def choose_progress(*, as_json: bool) -> Progress:
    """The form that fits where the output goes."""
    if as_json or not sys.stdout.isatty():
        return Lines(as_json=as_json)
    return LiveTable(Console())
