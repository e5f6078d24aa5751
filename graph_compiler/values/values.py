"""What may travel between nodes: JSON values and bytes. All else is refused with its place named, never coerced."""

from __future__ import annotations

import math
from collections.abc import ItemsView, Iterable, KeysView, ValuesView
from types import GeneratorType
from typing import Any

from graph_compiler.values.binary import restored, stands_for_bytes
from graph_compiler.values.errors import BadValue

MAX_DEPTH = 100
MAX_ITEMS = 2_000_000
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**64 - 1
_SEQUENCES: tuple[type[Iterable[Any]], ...] = (list, tuple, range, GeneratorType, KeysView, ValuesView, ItemsView)


def as_json(value: Any, place: str) -> Any:
    """The value as plain data: templates' tuples, ranges and iterators become lists, their scalars stay.

    Bytes stay, and an object that stands for them becomes bytes, so that a value is the same before it is stored
    and after. Raises `BadValue` for what JSON cannot say (NaN, dates, sets, keys that are not text, lone surrogates,
    integers beyond 64 bits) and for what is deeper than 100 levels or larger than two million items.
    """
    try:
        return _Copier().copy(value, 0)
    except _Refused as refused:
        raise BadValue(f"{place}{''.join(reversed(refused.path))}: {refused.reason}") from None


class _Refused(Exception):
    """Collects its path on the way up, so that good values cost no place names."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: list[str] = []


class _Copier:
    def __init__(self) -> None:
        self.items = 0

    def copy(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return _text(value)
        if value is None or kind is bool or kind is bytes:
            return value
        if kind is int or kind is float:
            return _number(value)
        if depth >= MAX_DEPTH:
            raise _Refused(f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, _SEQUENCES):
            return self._array(value, depth)
        if isinstance(value, str):
            return _text(str(value))
        raise _Refused(getattr(value, "why_not_json", f"{kind.__name__} is not a JSON value"))

    def _array(self, value: Iterable[Any], depth: int) -> list[Any]:
        copied: list[Any] = []
        for item in value:
            self._count()
            try:
                copied.append(self.copy(item, depth + 1))
            except _Refused as refused:
                refused.path.append(f"[{len(copied)}]")
                raise
        return copied

    def _object(self, value: dict[Any, Any], depth: int) -> Any:
        if stands_for_bytes(value):
            return _bytes(value)
        copied = {}
        for key, item in value.items():
            self._count()
            if type(key) is not str:
                raise _Refused(f"the key {key!r} is not text")
            try:
                copied[_text(key)] = self.copy(item, depth + 1)
            except _Refused as refused:
                refused.path.append(f".{key}")
                raise
        return copied

    def _count(self) -> None:
        self.items += 1
        if self.items > MAX_ITEMS:
            raise _Refused(f"more than {MAX_ITEMS} items")


def _bytes(value: dict[str, str]) -> Any:
    try:
        return restored(value)
    except ValueError:
        raise _Refused("an object of the one key $bytes holds base64") from None


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Refused("text with a lone surrogate cannot be written as UTF-8") from None
    return value


def _number(value: int | float) -> int | float:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _Refused(f"{value} is not a JSON number")
    elif not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        raise _Refused(f"an integer of {value.bit_length()} bits; 64 are the limit")
    return value
