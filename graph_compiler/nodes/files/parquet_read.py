"""`parquet.read`: the rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.nodes.files.parquet_tables import parquet_rows
from graph_compiler.nodes.files.tables import TABLE_FAILURES, all_rows
from graph_compiler.nodes.node_type import TEMPLATED, FailureKind, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.values.durations import Duration
from graph_compiler.values.file_values import FileReference, reference_of

PARQUET_FAILURES = (FailureKind("table_unavailable", "The installation has no pyarrow: install `headrace[parquet]`."),)


class ParquetReadConfig(NodeConfig):
    """Config of `parquet.read`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"file": "{{ inputs.file }}", "columns": ["id", "price"]}]}
    )

    file: Annotated[FileReference, TEMPLATED] = Field(description="A file value, a path in your files, or a URL.")
    columns: list[str] | None = Field(default=None, description="Only these columns.")
    max_rows: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=100_000, description="A longer table ends the node with `table_too_large`."
    )
    timeout: Duration = Field(default=60.0, description="Of fetching a web address.")


class ParquetRead(NodeType[ParquetReadConfig]):
    """See the module."""

    name = "parquet.read"
    summary = "Read the rows of a Parquet file."
    config_model = ParquetReadConfig
    notes = (
        "Dates and times are ISO 8601 text, decimals are text (exact), durations are seconds, bytes are base64. It"
        " needs `headrace[parquet]`."
    )
    failures = (*TABLE_FAILURES, *PARQUET_FAILURES)

    def ports(self, config: ParquetReadConfig) -> Ports:
        return Ports(inputs=(), outputs=(Port("rows", "array", "An object for each row."),))

    def execute(self, call: NodeCall[ParquetReadConfig]) -> Mapping[str, Any]:
        config = call.config
        with call.runtime.open_file(reference_of(config.file), timeout=config.timeout) as file:
            return {"rows": all_rows(parquet_rows(file, config.columns), config.max_rows)}
