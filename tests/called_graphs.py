"""The graphs that documents of tests/graphs call: a library for the compiler, and texts to store before them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from graph_compiler.checking.validation import check
from graph_compiler.values.canonical import content_hash

FOLDER = Path(__file__).parent / "graphs" / "called"


class Shelf:
    """All of tests/graphs/called, each in version 1; those that call come after those that they call."""

    is_complete = True

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}
        for path in sorted(FOLDER.iterdir(), key=lambda path: ("type: graph" in path.read_text(), path.stem)):
            checked = check(path.read_bytes(), library=self)
            assert checked.document is not None, checked.issues
            self.documents[path.stem] = checked.document

    def latest(self, name: str) -> int | None:
        return 1 if name in self.documents else None

    def document(self, name: str, version: int, sha256: str | None) -> str | None:
        document = self.documents.get(name) if version == 1 else None
        return document if document is None or sha256 in (None, content_hash(document)) else None

    def __iter__(self) -> Iterator[str]:
        return iter(self.documents.values())


@lru_cache(maxsize=1)
def shelf() -> Shelf:
    """The one shelf of this process."""
    return Shelf()
