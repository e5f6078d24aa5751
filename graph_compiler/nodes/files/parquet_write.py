"""`parquet.write`: a Parquet file made of rows, or of a CSV file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from graph_compiler.language.issues import Issue
from graph_compiler.nodes.files.csv_read import CsvFormat, csv_table, format_defects
from graph_compiler.nodes.files.parquet_columns import kinds_of
from graph_compiler.nodes.files.parquet_read import PARQUET_FAILURES
from graph_compiler.nodes.files.parquet_tables import write_parquet
from graph_compiler.nodes.files.tables import TABLE_FAILURES, ColumnType, Row, checked_rows, portions
from graph_compiler.nodes.node_type import (
    TEMPLATED,
    FailureKind,
    NodeCall,
    NodeConfig,
    NodeType,
    Port,
    Ports,
)
from graph_compiler.values.durations import Duration
from graph_compiler.values.file_values import FileReference, reference_of
from graph_compiler.values.pointers import pointer


class ParquetWriteConfig(NodeConfig):
    """Config of `parquet.write`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"path": "tables/{{ run.id }}.parquet", "types": {"price": "number"}},
                {"path": "table.parquet", "from": "{{ inputs.csv }}", "format": {"types": {"price": "number"}}},
            ]
        }
    )

    path: Annotated[str, TEMPLATED] = Field(description="A path in your files; a file there is replaced.")
    types: dict[str, ColumnType] = Field(
        default_factory=dict,
        description="Types of columns; the others are as their values are, and with `from` as `format.types` says.",
    )
    from_: Annotated[FileReference | None, TEMPLATED] = Field(
        default=None,
        alias="from",
        description="A CSV file instead of the input `rows`; it is streamed, whatever its size.",
    )
    format: CsvFormat = Field(default=CsvFormat(), description="How the CSV file is written.")
    compression: Literal["zstd", "snappy", "gzip", "none"] = Field(default="zstd", description="Of the file.")
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


class ParquetWrite(NodeType[ParquetWriteConfig]):
    """See the module."""

    name = "parquet.write"
    summary = "Write rows to a Parquet file."
    config_model = ParquetWriteConfig
    fallback_ports = _ports(_rows(required=False))
    notes = (
        "A column has one type: that of its values, `number` where whole numbers and others meet. Columns of type"
        " `json`, and those with objects or lists, hold JSON text, and `parquet.read` gives back the values. Nothing is"
        " rounded or left out: a value that is not of its column's type, or a number that 64 bits would round, is an"
        " error, as is a name in `types` that no row has; a whole number written as 2.0 is an integer too. It needs"
        " `headrace[parquet]`."
    )
    failures = (
        FailureKind("bad_value", "A row is not an object, or a cell is not of its column's type."),
        *TABLE_FAILURES,
        *PARQUET_FAILURES,
    )

    def defects(self, config: ParquetWriteConfig) -> Iterator[Issue]:
        yield from format_defects(config.format)
        if config.from_ is None and config.format != CsvFormat():
            yield Issue("bad_value", "/format", "`format` is that of the CSV file which `from` names")
        for name, kind in config.format.types.items():
            if config.types.get(name, kind) != kind:
                yield Issue("bad_value", f"/types{pointer([name])}", f"`format.types` says {kind} of {name!r}")

    def ports(self, config: ParquetWriteConfig) -> Ports:
        # With `from` there are no rows: an edge to them would bring what nobody writes.
        return _ports(_rows(required=True)) if config.from_ is None else _ports()

    def execute(self, call: NodeCall[ParquetWriteConfig]) -> Mapping[str, Any]:
        config = call.config
        with _source(call) as (kinds, rows), call.runtime.create_file(reference_of(config.path)) as sink:
            count = write_parquet(sink, portions(rows), kinds, config.compression)
        return {"file": sink.value, "row_count": count}


@contextmanager
def _source(call: NodeCall[ParquetWriteConfig]) -> Iterator[tuple[Mapping[str, str], Iterable[Row]]]:
    """All columns with what they hold, and the rows."""
    config = call.config
    if config.from_ is None:
        rows = checked_rows(call.inputs.get("rows") or [])
        yield kinds_of(rows, config.types), rows
        return
    types = config.types | config.format.types
    with call.runtime.open_file(reference_of(config.from_), timeout=config.timeout) as file:
        table = csv_table(file, config.format.model_copy(update={"types": types}))
        yield {name: types.get(name, "text") for name in table.columns or types}, table.rows
