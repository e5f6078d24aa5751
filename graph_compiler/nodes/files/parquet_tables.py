"""Parquet by pyarrow, which is an extra: imported when a node needs it, read and written in bounded portions."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO
from uuid import UUID

from graph_compiler.nodes.files.parquet_columns import TYPES, cells_of
from graph_compiler.nodes.runtime import FileSink
from graph_compiler.values.binary import loads
from graph_compiler.values.errors import BadValue, NodeError
from graph_compiler.values.texts import shortened

PORTION = 2_000
_KIND = b"headrace.type"


def parquet_columns(file: BinaryIO) -> list[str]:
    """The names of the columns. Raises `NodeError`: table_bad_content, table_unavailable."""
    return list(_opened(file).schema_arrow.names)


def parquet_rows(file: BinaryIO, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows as JSON objects, read in portions. Raises `NodeError` as `parquet_columns`, and bad_value."""
    arrow = _arrow()
    table = _opened(file)
    names: list[str] = table.schema_arrow.names
    for name in columns or ():
        if name not in names:
            raise _bad(f"the table has no column {name!r}; its columns are {', '.join(map(repr, names[:12]))}")
    as_json = _json_columns(table.schema_arrow)
    wanted = names if columns is None else columns
    try:
        for batch in table.iter_batches(PORTION, columns=columns, use_threads=False):
            for row in batch.to_pylist():
                yield {name: (_from_json if name in as_json else _plain)(row[name], name) for name in wanted}
    except NodeError:
        raise
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise _bad(_short(error)) from None


def write_parquet(
    sink: FileSink, portions: Iterable[list[dict[str, Any]]], kinds: Mapping[str, str], compression: str
) -> int:
    """Write the rows, a row group for each portion; their number.

    `kinds` has all columns with what they hold. Raises `NodeError`: bad_value, table_unavailable.
    """
    arrow = _arrow()
    from pyarrow import parquet

    count = 0
    schema = _schema(kinds)
    try:
        target = arrow.PythonFile(_Stream(sink), "w")
        with parquet.ParquetWriter(target, schema, compression=compression) as writer:
            for rows in portions:
                columns = [
                    arrow.array(cells_of(rows, name, kind, count), schema.field(index).type)
                    for index, (name, kind) in enumerate(kinds.items())
                ]
                writer.write_table(arrow.Table.from_arrays(columns, schema=schema))
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
        table = parquet.ParquetFile(file)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _bad(_short(error)) from None
    names = table.schema_arrow.names
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise _bad(f"two columns have one name, {twice!r}")
    return table


def _schema(kinds: Mapping[str, str]) -> Any:
    arrow = _arrow()
    fields = [
        arrow.field(name, getattr(arrow, TYPES[kind])(), metadata={_KIND: b"json"} if kind == "json" else None)
        for name, kind in kinds.items()
    ]
    return arrow.schema(fields)


def _json_columns(schema: Any) -> frozenset[str]:
    """The columns whose text is JSON, as `write_parquet` says in the file."""
    return frozenset(field.name for field in schema if (field.metadata or {}).get(_KIND) == b"json")


def _from_json(text: Any, column: str) -> Any:
    if text is None:
        return None
    try:
        return loads(text)
    except (ValueError, TypeError) as error:
        raise _bad(f"the column {column!r} has text that is not JSON: {_short(error)}") from None


def _plain(value: Any, column: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        if timedelta(seconds=seconds) != value:
            raise BadValue(f"the column {column!r} has {value}, whose seconds would be rounded")
        return seconds
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item, column) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item, column) for name, item in value.items()}
    raise BadValue(f"the column {column!r} has a {type(value).__name__}, which is not a JSON value")


def _bad(message: str) -> NodeError:
    return NodeError("table_bad_content", message, retryable=False)


def _short(error: Exception) -> str:
    return shortened(" ".join(str(error).split()), 300) or type(error).__name__
