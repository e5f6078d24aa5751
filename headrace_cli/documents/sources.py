"""Graph documents named on the command line."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headrace_cli.terminal.errors import CommandError

Syntax = Literal["json", "yaml"]


@dataclass(frozen=True)
class Source:
    """The bytes of a document, the name to print for it and the syntax its name tells."""

    name: str
    content: bytes
    syntax: Syntax | None


def read_source(path: str) -> Source:
    """A file, or standard input for `-`. Raises `CommandError` if it cannot be read."""
    content = _read(path)
    return Source("<stdin>", content, None) if path == "-" else Source(path, content, _syntax(path))


def read_text(path: Path) -> str:
    """The UTF-8 text of a file, or of standard input for `-`, with plain line ends. Raises `CommandError`."""
    try:
        return io.StringIO(_read(str(path)).decode(), newline=None).read()
    except UnicodeDecodeError as error:
        hint = "Name a UTF-8 text file, or - for stdin."
        raise CommandError(f"{path} cannot be read: {error}.", hint=hint) from error


def _read(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", hint="Name a file, or - for stdin.") from error


def _syntax(path: str) -> Syntax | None:
    ending = path.rpartition(".")[2].lower()
    if ending == "json":
        return "json"
    return "yaml" if ending in {"yaml", "yml"} else None
