"""What the nodes that read and write tables have in common: columns and their types, limits, failures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Literal

from graph_compiler.nodes.failures import FILE_FAILURES
from graph_compiler.nodes.http.http_request import HTTP_FAILURES
from graph_compiler.nodes.node_type import FailureKind
from graph_compiler.values.errors import NodeError

ColumnType = Literal["text", "integer", "number", "boolean", "json"]
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
    """All columns, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row))


def typed(text: str, column: str, kind: ColumnType, number: int) -> Any:
    """The cell as a value of its column's type; an empty one is null unless it is text. Raises `NodeError`."""
    if kind == "text":
        return text
    if text == "":
        return None
    try:
        return _READERS[kind](text)
    except (ValueError, KeyError):
        raise bad_content(f"row {number}, column {column!r}: {text[:80]!r} is not of type {kind}") from None


_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
_READERS: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "number": float,
    "boolean": lambda text: _BOOLEANS[text.strip().lower()],
    "json": json.loads,
}
