"""Parquet by pyarrow, which is an extra: imported when a node needs it, read and written in bounded portions."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any, BinaryIO

from graph_compiler.nodes.runtime import FileSink
from graph_compiler.values.binary import dumps
from graph_compiler.values.errors import BadValue, NodeError

PORTION = 2_000
_TYPES = {"text": "string", "integer": "int64", "number": "float64", "boolean": "bool_", "json": "string"}


def parquet_columns(file: BinaryIO) -> list[str]:
    """The names of the columns. Raises `NodeError`: table_bad_content, table_unavailable."""
    return list(_opened(file).schema_arrow.names)


def parquet_rows(file: BinaryIO, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows as JSON objects, read in portions. Raises `NodeError` as `parquet_columns`, and bad_value."""
    arrow = _arrow()
    table = _opened(file)
    missing = sorted(set(columns or ()) - set(table.schema_arrow.names))
    if missing:
        raise _bad(f"the table has no column {missing[0]!r}")
    try:
        for batch in table.iter_batches(PORTION, columns=columns, use_threads=False):
            for row in batch.to_pylist():
                yield {name: _plain(value, name) for name, value in row.items()}
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _bad(_short(error)) from None


def write_parquet(
    sink: FileSink, portions: Iterable[list[dict[str, Any]]], types: Mapping[str, str], compression: str
) -> int:
    """Write the rows, a row group for each portion; their number. Raises `NodeError`: bad_value, table_unavailable."""
    arrow = _arrow()
    from pyarrow import parquet

    count = 0
    remaining = iter(portions)
    try:
        first = next(remaining, [])
        schema = _schema(first, types)
        target = arrow.PythonFile(_Stream(sink), "w")
        with parquet.ParquetWriter(target, schema, compression=compression) as writer:
            for rows in chain([first], remaining):
                cells = [{name: _cell(value) for name, value in row.items()} for row in rows]
                writer.write_table(arrow.Table.from_pylist(cells, schema))
                count += len(rows)
    except (arrow.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise BadValue(f"rows from {count} on: {_short(error)}") from None
    return count


class _Stream(io.RawIOBase):
    """A sink as the file that pyarrow writes to."""

    def __init__(self, sink: FileSink) -> None:
        self._sink = sink
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any, /) -> int:
        portion = bytes(data)
        self._size += len(portion)
        return self._sink.write(portion)


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        said = "this installation has no pyarrow; install headrace[parquet]"
        raise NodeError("table_unavailable", said, retryable=False) from None
    return pyarrow


def _opened(file: BinaryIO) -> Any:
    arrow = _arrow()
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(file)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _bad(_short(error)) from None


def _schema(rows: list[dict[str, Any]], types: Mapping[str, str]) -> Any:
    arrow = _arrow()
    names = list(dict.fromkeys([*(name for row in rows for name in row), *types]))
    fields = []
    for name in names:
        if name in types:
            kind = getattr(arrow, _TYPES[types[name]])()
        else:
            kind = arrow.array([_cell(row.get(name)) for row in rows]).type
        fields.append((name, arrow.string() if arrow.types.is_null(kind) else kind))
    return arrow.schema(fields)


def _cell(value: Any) -> Any:
    return dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _plain(value: Any, column: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return [_plain(item, column) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item, column) for name, item in value.items()}
    raise BadValue(f"the column {column!r} has a {type(value).__name__}, which is not a JSON value")


def _bad(message: str) -> NodeError:
    return NodeError("table_bad_content", message, retryable=False)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
