"""`parquet.write`: a Parquet file made of rows, or of a CSV file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from graph_compiler.nodes.files.csv_read import CsvFormat, csv_rows
from graph_compiler.nodes.files.parquet_read import PARQUET_FAILURES
from graph_compiler.nodes.files.parquet_tables import write_parquet
from graph_compiler.nodes.files.tables import TABLE_FAILURES, ColumnType, Row, checked_rows, portions
from graph_compiler.nodes.node_type import TEMPLATED, FailureKind, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.values.durations import Duration
from graph_compiler.values.file_values import FileReference, reference_of


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
        default_factory=dict, description="Types of columns; those of the others are taken from the first 2,000 rows."
    )
    from_: Annotated[FileReference | None, TEMPLATED] = Field(
        default=None,
        alias="from",
        description="A CSV file instead of the input `rows`; it is streamed, whatever its size.",
    )
    format: CsvFormat = Field(default=CsvFormat(), description="How the CSV file is written.")
    compression: Literal["zstd", "snappy", "gzip", "none"] = Field(default="zstd", description="Of the file.")
    timeout: Duration = Field(default=60.0, description="Of fetching a web address.")


class ParquetWrite(NodeType[ParquetWriteConfig]):
    """See the module."""

    name = "parquet.write"
    summary = "Write rows to a Parquet file."
    config_model = ParquetWriteConfig
    notes = "Columns of type `json`, and those with objects or lists, hold JSON text. It needs `headrace[parquet]`."
    failures = (
        FailureKind("bad_value", "A row is not an object, or a cell is not of its column's type."),
        *TABLE_FAILURES,
        *PARQUET_FAILURES,
    )

    def ports(self, config: ParquetWriteConfig) -> Ports:
        needed = config.from_ is None
        return Ports(
            inputs=(Port("rows", "array", "An object for each row.", required=needed),),
            outputs=(
                Port("file", "object", "The file value."),
                Port("row_count", "integer", "Rows written."),
            ),
        )

    def execute(self, call: NodeCall[ParquetWriteConfig]) -> Mapping[str, Any]:
        config = call.config
        types = config.types | (config.format.types if config.from_ is not None else {})
        with _source(call) as rows, call.runtime.create_file(reference_of(config.path)) as sink:
            count = write_parquet(sink, portions(rows), types, config.compression)
        return {"file": sink.value, "row_count": count}


@contextmanager
def _source(call: NodeCall[ParquetWriteConfig]) -> Iterator[Iterable[Row]]:
    config = call.config
    if config.from_ is None:
        yield checked_rows(call.inputs.get("rows") or [])
        return
    with call.runtime.open_file(reference_of(config.from_), timeout=config.timeout) as file:
        yield csv_rows(file, config.format)
