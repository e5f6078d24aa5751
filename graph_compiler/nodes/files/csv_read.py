"""`csv.read`: the rows of a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import ConfigDict, Field

from graph_compiler.nodes.files.tables import TABLE_FAILURES, ColumnType, Row, all_rows, bad_content, typed
from graph_compiler.nodes.node_type import TEMPLATED, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.values.durations import Duration
from graph_compiler.values.file_values import FileReference, reference_of


class CsvFormat(NodeConfig):
    """How a CSV file is written."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = Field(default=",", description="Between cells.")
    columns: list[str] | None = Field(
        default=None, description="Names of the columns; without them the first row has them."
    )
    types: dict[str, ColumnType] = Field(default_factory=dict, description="Types of columns; the others are text.")
    encoding: Literal["utf-8", "latin-1", "utf-16"] = Field(
        default="utf-8", description="Of the text; a byte order mark is dropped."
    )


class CsvReadConfig(NodeConfig):
    """Config of `csv.read`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"file": "{{ inputs.file }}", "format": {"delimiter": ";", "types": {"price": "number"}}}]
        }
    )

    file: Annotated[FileReference, TEMPLATED] = Field(description="A file value, a path in your files, or a URL.")
    format: CsvFormat = Field(default=CsvFormat(), description="How it is written.")
    max_rows: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=100_000, description="A longer table ends the node with `table_too_large`."
    )
    timeout: Duration = Field(default=60.0, description="Of fetching a web address.")


class CsvRead(NodeType[CsvReadConfig]):
    """See the module."""

    name = "csv.read"
    summary = "Read the rows of a CSV file."
    config_model = CsvReadConfig
    notes = (
        "Cells are text unless `types` says more; types are never guessed. Rows of another length than the first are"
        " an error."
    )
    failures = TABLE_FAILURES

    def ports(self, config: CsvReadConfig) -> Ports:
        return Ports(inputs=(), outputs=(Port("rows", "array", "An object for each row."),))

    def execute(self, call: NodeCall[CsvReadConfig]) -> Mapping[str, Any]:
        config = call.config
        with call.runtime.open_file(reference_of(config.file), timeout=config.timeout) as file:
            return {"rows": all_rows(csv_rows(file, config.format), config.max_rows)}


def csv_rows(file: BinaryIO, format: CsvFormat) -> Iterator[Row]:
    """The rows, one at a time. Raises `NodeError` table_bad_content."""
    encoding = "utf-8-sig" if format.encoding == "utf-8" else format.encoding
    text = io.TextIOWrapper(file, encoding, newline="")
    reader = csv.reader(text, delimiter=format.delimiter, strict=True)
    try:
        names = format.columns or next(reader, [])
        if len(set(names)) < len(names):
            raise bad_content("two columns have one name")
        kinds = [format.types.get(name, "text") for name in names]
        for number, cells in enumerate(reader, 1):
            if not cells:
                continue
            if len(cells) != len(names):
                raise bad_content(f"row {number} has {len(cells)} cells, and there are {len(names)} columns")
            yield {name: typed(cell, name, kind, number) for name, cell, kind in zip(names, cells, kinds, strict=True)}
    except (csv.Error, UnicodeError) as error:
        raise bad_content(f"line {reader.line_num + 1}: {error}") from None
    finally:
        with suppress(ValueError):  # the file is closed already when a reader stops before the end
            text.detach()
