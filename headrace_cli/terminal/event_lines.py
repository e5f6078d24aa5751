"""Run events as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_WORD_WIDTH = 14


def event_line(event: Mapping[str, Any]) -> str:
    """Local time, type, node and message of an event on one line."""
    time = datetime.fromisoformat(event["ts"]).astimezone().strftime("%H:%M:%S.%f")[:-3]
    return printable(f"{time}  {event['type']:<{_WORD_WIDTH}}  {place(event):<12}  {event['message']}".rstrip())


def place(event: Mapping[str, Any]) -> str:
    """`node` or `node[item]`; `-` for the run itself."""
    if event["node"] is None:
        return "-"
    return event["node"] if event["item"] is None else f"{event['node']}[{event['item']}]"


def printable(text: str) -> str:
    """The text without control characters: what a node prints must not drive the reader's terminal."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
