"""`csv.write`: a CSV file made of rows, or of a Parquet file."""

from __future__ import annotations

import csv
import io
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.nodes.files.parquet_read import PARQUET_FAILURES
from graph_compiler.nodes.files.parquet_tables import parquet_columns, parquet_rows
from graph_compiler.nodes.files.tables import TABLE_FAILURES, Row, checked_rows, columns_of, portions
from graph_compiler.nodes.node_type import TEMPLATED, FailureKind, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.nodes.runtime import FileSink
from graph_compiler.values.binary import dumps
from graph_compiler.values.durations import Duration
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
        default=None, description="The columns and their order; without them all of the rows, as they first appear."
    )
    from_: Annotated[FileReference | None, TEMPLATED] = Field(
        default=None,
        alias="from",
        description="A Parquet file instead of the input `rows`; it is streamed, whatever its size.",
    )
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = Field(default=",", description="Between cells.")
    timeout: Duration = Field(default=60.0, description="Of fetching a web address.")


class CsvWrite(NodeType[CsvWriteConfig]):
    """See the module."""

    name = "csv.write"
    summary = "Write rows to a CSV file."
    config_model = CsvWriteConfig
    notes = (
        "UTF-8, lines end with CR LF (RFC 4180). Null is an empty cell; objects and lists are written as JSON, bytes as"
        " base64."
    )
    failures = (
        FailureKind("bad_value", "A row is not an object, or has a column that `columns` does not name."),
        *TABLE_FAILURES,
        *PARQUET_FAILURES,
    )

    def ports(self, config: CsvWriteConfig) -> Ports:
        needed = config.from_ is None
        return Ports(
            inputs=(Port("rows", "array", "An object for each row.", required=needed),),
            outputs=(
                Port("file", "object", "The file value."),
                Port("row_count", "integer", "Rows written."),
            ),
        )

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
        yield config.columns or columns_of(rows), rows
        return
    with call.runtime.open_file(reference_of(config.from_), timeout=config.timeout) as file:
        yield config.columns or parquet_columns(file), parquet_rows(file, config.columns)


def _write(sink: FileSink, columns: list[str], rows: Iterable[Row], delimiter: str) -> int:
    count = 0
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(columns)
    for portion in portions(rows):
        writer.writerows([[_cell(row.get(name)) for name in columns] for row in portion])
        sink.write(text.getvalue().encode())
        text.seek(0)
        text.truncate()
        count += len(portion)
    sink.write(text.getvalue().encode())
    return count


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, bool | dict | list):
        return dumps(value, ensure_ascii=False)
    return value
