"""What the nodes that read and write tables have in common: columns and their types, limits, failures."""

from __future__ import annotations

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Literal

from graph_compiler.nodes.failures import FILE_FAILURES
from graph_compiler.nodes.http.http_request import HTTP_FAILURES
from graph_compiler.nodes.node_type import FailureKind
from graph_compiler.values.binary import loads
from graph_compiler.values.errors import BadValue, NodeError
from graph_compiler.values.texts import quoted
from graph_compiler.values.values import as_json

ColumnType = Literal["text", "integer", "number", "boolean", "json", "bytes"]
Row = dict[str, Any]
PORTION = 2_000
"""Rows that are in memory at a time while tables stream."""

TABLE_FAILURES = (
    FailureKind("table_bad_content", "The file is not such a table, or a cell is not of its column's type."),
    FailureKind("table_too_large", "More rows than `max_rows`."),
    *FILE_FAILURES,
    *HTTP_FAILURES,
)


def bad_content(message: str) -> NodeError:
    """The error of a file that is not such a table."""
    return NodeError("table_bad_content", message, retryable=False)


def all_rows(rows: Iterable[Row], max_rows: int) -> list[Row]:
    """The rows as a list. Raises `NodeError` table_too_large."""
    found = list(islice(rows, max_rows + 1))
    if len(found) > max_rows:
        raise NodeError("table_too_large", f"the table has more than {max_rows} rows", retryable=False)
    return found


def portions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in portions of bounded size."""
    iterator = iter(rows)
    while portion := list(islice(iterator, PORTION)):
        yield portion


def checked_rows(rows: list[Any]) -> list[Row]:
    """The rows if all are objects. Raises `NodeError` bad_value."""
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise NodeError("bad_value", f"rows[{index}] is not an object", retryable=False)
    return rows


def columns_of(rows: list[Row]) -> list[str]:
    """All columns, in the order in which they first appear. Raises `NodeError` bad_value if rows have none."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if rows and not columns:
        raise BadValue("rows[0] has no columns, and a table needs one")
    return columns


def check_named(named: Iterable[str], columns: Collection[str], place: str) -> None:
    """Refuse names in a config that are no column of the table, by `NodeError` table_bad_content."""
    if said := unknown_name(named, columns, place):
        raise bad_content(said)


def unknown_name(named: Iterable[str], columns: Collection[str], place: str) -> str | None:
    """What is wrong with the first of the names that is no column of the table."""
    for name in named:
        if name not in columns:
            known = ", ".join(map(repr, islice(columns, 12))) or "none"
            return f"{place} names {name!r}, and the table has no such column; its columns are {known}"
    return None


def same_name(names: Iterable[str]) -> str | None:
    """The first name that comes a second time."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def typed(text: str, column: str, kind: ColumnType, number: int) -> Any:
    """The cell as a value of its column's type; an empty one is null unless it is text. Raises `NodeError`."""
    if kind == "text":
        return text
    if text == "":
        return None
    place = f"row {number}, column {column!r}"
    try:
        value = _READERS[kind](text)
    except (ValueError, KeyError, RecursionError):
        raise bad_content(f"{place}: {quoted(text, 80)} is not of type {kind}") from None
    return as_json(value, place)


_INTEGER = re.compile(r"\s*[-+]?[0-9]+\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*", re.ASCII)
_NOT_FINITE = re.compile(r"\s*[-+]?(?:nan|inf|infinity)\s*", re.ASCII | re.IGNORECASE)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _number(text: str) -> int | float:
    """A float, but a whole number that would be rounded as one stays an integer."""
    if _INTEGER.fullmatch(text):
        whole = int(text)
        return float(whole) if abs(whole) <= 2**53 else whole
    if not (_NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text)):
        raise ValueError(text)
    return float(text)


_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
_READERS: Mapping[str, Callable[[str], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": lambda text: _BOOLEANS[text.strip().lower()],
    "json": loads,
    "bytes": lambda text: b64decode(text, validate=True),
}
