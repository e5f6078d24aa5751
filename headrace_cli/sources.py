"""Graph documents named on the command line."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

from headrace_cli.errors import CommandError

Syntax = Literal["json", "yaml"]


@dataclass(frozen=True)
class Source:
    """The bytes of a document, the name to print for it and the syntax its name tells."""

    name: str
    content: bytes
    syntax: Syntax | None


def read_source(path: str) -> Source:
    """A file, or standard input for `-`. Raises `CommandError` if it cannot be read."""
    if path == "-":
        return Source("<stdin>", sys.stdin.buffer.read(), None)
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", hint="Name a file, or - for stdin.") from error
    return Source(path, content, _syntax(path))


def _syntax(path: str) -> Syntax | None:
    ending = path.rpartition(".")[2].lower()
    if ending == "json":
        return "json"
    return "yaml" if ending in {"yaml", "yml"} else None
