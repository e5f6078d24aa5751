"""What two documents of a graph differ in: nodes and triggers by id, edges by their ends, tests by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from graph_compiler.values.pointers import pointer_token

Kind = Literal["added", "removed", "changed", "reordered"]

_ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """One place in which two documents differ.

    `path` is a JSON pointer in the newer document, of what was removed in the older one; `place` says it by ids, as in
    `nodes[score].config.code`. Of texts with several lines `lines` is the unified difference.
    """

    kind: Kind
    path: str
    place: str
    before: Any = None
    after: Any = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Place:
    path: str = ""
    words: str = ""

    def key(self, name: str) -> _Place:
        words = f"{self.words}.{name}" if self.words else name
        return _Place(f"{self.path}/{pointer_token(name)}", words)

    def row(self, row: int, label: object) -> _Place:
        return _Place(f"{self.path}/{row}", f"{self.words}[{label}]")


def differences(older: Mapping[str, Any], newer: Mapping[str, Any]) -> list[Difference]:
    """Every difference, in the order of the newer document; none for equal documents."""
    return list(_objects(older, newer, _Place()))


def _values(older: Any, newer: Any, place: _Place, name: str = "") -> Iterator[Difference]:
    if older is _ABSENT:
        yield Difference("added", place.path, place.words, after=newer)
    elif newer is _ABSENT:
        yield Difference("removed", place.path, place.words, before=older)
    elif isinstance(older, dict) and isinstance(newer, dict):
        yield from _objects(older, newer, place)
    elif isinstance(older, list) and isinstance(newer, list):
        yield from _lists(older, newer, place, name)
    elif not _same(older, newer):
        yield Difference("changed", place.path, place.words, older, newer, _lines(older, newer))


def _objects(older: Mapping[str, Any], newer: Mapping[str, Any], place: _Place) -> Iterator[Difference]:
    for name in [*newer, *(name for name in older if name not in newer)]:
        yield from _values(older.get(name, _ABSENT), newer.get(name, _ABSENT), place.key(name), name)


def _lists(older: list[Any], newer: list[Any], place: _Place, name: str) -> Iterator[Difference]:
    identity = _IDENTITIES.get(place.path)
    ids = None if identity is None else (_ids(older, identity), _ids(newer, identity))
    if ids is None or ids[0] is None or ids[1] is None:
        if not _same(older, newer):
            yield Difference("changed", place.path, place.words, older, newer)
        return
    yield from _elements(older, newer, ids[0], ids[1], place)


def _elements(
    older: list[Any], newer: list[Any], before: Sequence[Hashable], after: Sequence[Hashable], place: _Place
) -> Iterator[Difference]:
    for row, identity in enumerate(after):
        known = older[before.index(identity)] if identity in before else _ABSENT
        yield from _values(known, newer[row], place.row(row, identity))
    for row, identity in enumerate(before):
        if identity not in after:
            yield from _values(older[row], _ABSENT, place.row(row, identity))
    kept = [identity for identity in before if identity in after]
    moved = [identity for identity in after if identity in before]
    if kept != moved:
        yield Difference("reordered", place.path, place.words, kept, moved)


def _id(element: Any) -> str:
    return str(element["id"])


def _name(element: Any) -> str:
    return str(element["name"])


def _ends(element: Any) -> str:
    return f"{element['from']} -> {element['to']}"


_IDENTITIES: Mapping[str, Callable[[Any], str]] = {"/nodes": _id, "/triggers": _id, "/edges": _ends, "/tests": _name}


def _ids(elements: list[Any], identity: Callable[[Any], str]) -> list[str] | None:
    """What the elements are known by; None if some are not, or not by something of their own."""
    try:
        found = [identity(element) for element in elements]
    except (KeyError, TypeError):
        return None
    return found if len(set(found)) == len(found) else None


def _lines(older: Any, newer: Any) -> tuple[str, ...]:
    if not (isinstance(older, str) and isinstance(newer, str)) or "\n" not in older + newer:
        return ()
    return tuple(difflib.unified_diff(older.splitlines(), newer.splitlines(), lineterm="", n=2))[2:]


def _same(older: Any, newer: Any) -> bool:
    """Equal as JSON: 1 is neither true nor 1.0, which a canonical document tells apart."""
    if isinstance(older, dict) and isinstance(newer, dict):
        return older.keys() == newer.keys() and all(_same(older[name], newer[name]) for name in older)
    if isinstance(older, list) and isinstance(newer, list):
        return len(older) == len(newer) and all(map(_same, older, newer))
    return type(older) is type(newer) and bool(older == newer)
