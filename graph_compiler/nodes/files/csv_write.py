"""`csv.write`: a CSV file made of rows, or of a Parquet file."""

from __future__ import annotations

import csv
import io
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.language.issues import Issue
from graph_compiler.nodes.files.csv_read import Delimiter
from graph_compiler.nodes.files.parquet_read import PARQUET_FAILURES
from graph_compiler.nodes.files.parquet_tables import parquet_columns, parquet_rows
from graph_compiler.nodes.files.tables import (
    TABLE_FAILURES,
    Row,
    checked_rows,
    columns_of,
    portions,
    same_name,
    unknown_name,
)
from graph_compiler.nodes.node_type import (
    TEMPLATED,
    FailureKind,
    NodeCall,
    NodeConfig,
    NodeType,
    Port,
    Ports,
)
from graph_compiler.nodes.runtime import FileSink
from graph_compiler.values.binary import dumps
from graph_compiler.values.durations import Duration
from graph_compiler.values.errors import BadValue
from graph_compiler.values.file_values import FileReference, reference_of


class CsvWriteConfig(NodeConfig):
    """Config of `csv.write`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"path": "reports/{{ run.id }}.csv", "columns": ["name", "total"]},
                {"path": "table.csv", "from": "{{ inputs.parquet }}"},
            ]
        }
    )

    path: Annotated[str, TEMPLATED] = Field(description="A path in your files; a file there is replaced.")
    columns: list[str] | None = Field(
        default=None,
        description=(
            "All columns in their order; with `from` those that are taken. Without it all of the rows, as they first"
            " appear."
        ),
    )
    from_: Annotated[FileReference | None, TEMPLATED] = Field(
        default=None,
        alias="from",
        description="A Parquet file instead of the input `rows`; it is streamed, whatever its size.",
    )
    delimiter: Delimiter = Field(default=",", description="Between cells.")
    timeout: Duration = Field(default=60.0, description="Of fetching a web address.")


def _rows(*, required: bool) -> Port:
    return Port("rows", "array", "An object for each row.", required=required)


def _ports(*inputs: Port) -> Ports:
    return Ports(
        inputs=inputs,
        outputs=(
            Port("file", "object", "The file value."),
            Port("row_count", "integer", "Rows written."),
        ),
    )


class CsvWrite(NodeType[CsvWriteConfig]):
    """See the module."""

    name = "csv.write"
    summary = "Write rows to a CSV file."
    config_model = CsvWriteConfig
    fallback_ports = _ports(_rows(required=False))
    notes = (
        "UTF-8, lines end with CR LF (RFC 4180). Null is an empty cell; objects and lists are written as JSON, bytes as"
        " base64 (`csv.read` reads them as `json` and `bytes`). A column in `columns` that no row has is an error; rows"
        " without a value give null."
    )
    failures = (
        FailureKind(
            "bad_value",
            "A row is not an object, or its columns are not those of `columns`.",
        ),
        *TABLE_FAILURES,
        *PARQUET_FAILURES,
    )

    def defects(self, config: CsvWriteConfig) -> Iterator[Issue]:
        if config.columns is not None and (twice := same_name(config.columns)) is not None:
            yield Issue("bad_value", "/columns", f"the column {twice!r} is named twice")

    def ports(self, config: CsvWriteConfig) -> Ports:
        # With `from` there are no rows: an edge to them would bring what nobody writes.
        return _ports(_rows(required=True)) if config.from_ is None else _ports()

    def execute(self, call: NodeCall[CsvWriteConfig]) -> Mapping[str, Any]:
        config = call.config
        with (
            _source(call) as (columns, rows),
            call.runtime.create_file(reference_of(config.path), media_type="text/csv") as sink,
        ):
            count = _write(sink, columns, rows, config.delimiter)
        return {"file": sink.value, "row_count": count}


@contextmanager
def _source(call: NodeCall[CsvWriteConfig]) -> Iterator[tuple[list[str], Iterable[Row]]]:
    config = call.config
    if config.from_ is None:
        rows = checked_rows(call.inputs.get("rows") or [])
        yield _columns(rows, config.columns), rows
        return
    with call.runtime.open_file(reference_of(config.from_), timeout=config.timeout) as file:
        yield config.columns or parquet_columns(file), parquet_rows(file, config.columns)


def _columns(rows: list[Row], wanted: list[str] | None) -> list[str]:
    """The columns to write: the wanted ones if they are those of the rows. Raises `NodeError` bad_value."""
    found = columns_of(rows)
    if not wanted:
        return found
    known = set(wanted)
    for index, row in enumerate(rows):
        for name in row:
            if name not in known:
                raise BadValue(f"rows[{index}] has the column {name!r}, which `columns` does not name")
    if rows and (said := unknown_name(wanted, found, "columns")):
        raise BadValue(said)
    return wanted


def _write(sink: FileSink, columns: list[str], rows: Iterable[Row], delimiter: str) -> int:
    count = 0
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    for name in columns:
        _checked(name, f"the column {name!r}")
    if columns and columns[0].startswith("\ufeff"):
        raise BadValue(f"the column {columns[0]!r} begins with a byte order mark, which readers drop")
    writer.writerow(columns)
    for portion in portions(rows):
        for index, row in enumerate(portion, count):
            writer.writerow([_cell(row.get(name), index, name) for name in columns])
        sink.write(text.getvalue().encode())
        text.seek(0)
        text.truncate()
        count += len(portion)
    sink.write(text.getvalue().encode())
    return count


def _cell(value: Any, row: int, column: str) -> Any:
    if isinstance(value, str):
        return _checked(value, f"rows[{row}], column {column!r}")
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, bool | dict | list):
        return dumps(value, ensure_ascii=False)
    return value


def _checked(text: str, place: str) -> str:
    if "\0" in text:
        raise BadValue(f"{place}: text with the character NUL, which no CSV file has")
    return text
