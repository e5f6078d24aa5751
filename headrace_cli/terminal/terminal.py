"""What the commands print: data to stdout, words about it to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


def say(line: str = "") -> None:
    """One line of data to stdout, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """One line of explanation to stderr, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def say_json(value: Any) -> None:
    """A value as JSON to stdout: indented for eyes, one line for a pipe."""
    say(json.dumps(value, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False))


def say_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain aligned table to stdout, not wrapped: it must survive `grep` and `cut`."""
    lines = [columns, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        say("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
