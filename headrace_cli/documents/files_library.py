"""Graphs that a document calls, read from files: what `headrace validate --with` knows without a server."""

from __future__ import annotations

from graph_compiler.language.annotations import executed
from graph_compiler.language.loading import load
from graph_compiler.values.canonical import canonical_json, content_hash
from headrace_cli.documents.sources import Source
from headrace_cli.terminal.errors import CommandError


class FilesLibrary:
    """The compiler's library (`graph_compiler.language.library.GraphLibrary`) of some files.

    Each is its graph's latest version. A version with a number is taken to be the file's;
    other graphs may exist on the server.
    """

    is_complete = False

    def __init__(self) -> None:
        self._documents: dict[str, str] = {}

    def add(self, source: Source) -> None:
        """Take a document in. Raises `CommandError` if it is none that has a name."""
        data = load(source.content, syntax=source.syntax).data
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            raise CommandError(
                f"{source.name} is not a graph document with a name.", hint=f"See `headrace validate {source.name}`."
            )
        self._documents[data["name"]] = canonical_json(executed(data))

    def latest(self, name: str) -> int | None:
        return 1 if name in self._documents else None

    def document(self, name: str, version: int, sha256: str | None) -> str | None:
        document = self._documents.get(name)
        return document if document is None or sha256 in (None, content_hash(document)) else None
