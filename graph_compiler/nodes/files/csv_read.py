"""`csv.read`: the rows of a CSV file."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO, Protocol

from pydantic import ConfigDict, Field

from graph_compiler.language.issues import Issue
from graph_compiler.nodes.files.tables import (
    TABLE_FAILURES,
    ColumnType,
    Row,
    all_rows,
    bad_content,
    check_named,
    same_name,
    typed,
)
from graph_compiler.nodes.node_type import TEMPLATED, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.values.durations import Duration
from graph_compiler.values.file_values import FileReference, reference_of
from graph_compiler.values.pointers import pointer
from graph_compiler.values.text_decoding import BadText, Encoding, decoded

Delimiter = Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[^\"\r\n\u0000]$")]
MAX_CELL = 32 * 1024 * 1024
"""Characters of a cell, and of a line: as many as a value may have."""
_PORTION = 64 * 1024
_LINE_END = re.compile(r"\r\n|\r|\n")


class CsvFormat(NodeConfig):
    """How a CSV file is written."""

    delimiter: Delimiter = Field(default=",", description="Between cells.")
    columns: list[str] | None = Field(
        default=None, description="Names of the columns; without them the first row has them."
    )
    types: dict[str, ColumnType] = Field(
        default_factory=dict, description="Types of columns; the others are text. `bytes` is base64."
    )
    encoding: Encoding = Field(
        default="utf-8",
        description="Of the text; a byte order mark is dropped. `utf-16` is read by its mark, and refused without one.",
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
        "Cells are text unless `types` says more; types are never guessed. A `number` is a float, or an integer where a"
        " float would round it. Lines end with CR LF, LF or CR; empty ones are left out. Errors are:"
        " a row of another length than the first, a name in `types` that no column has, bytes that are not of the"
        " encoding (the first is named), and the character NUL."
    )
    failures = TABLE_FAILURES

    def defects(self, config: CsvReadConfig) -> Iterator[Issue]:
        yield from format_defects(config.format)

    def ports(self, config: CsvReadConfig) -> Ports:
        return Ports(inputs=(), outputs=(Port("rows", "array", "An object for each row."),))

    def execute(self, call: NodeCall[CsvReadConfig]) -> Mapping[str, Any]:
        config = call.config
        with call.runtime.open_file(reference_of(config.file), timeout=config.timeout) as file:
            return {"rows": all_rows(csv_rows(file, config.format), config.max_rows)}


def format_defects(format: CsvFormat) -> Iterator[Issue]:
    """What is wrong with a format before there is a file."""
    if format.columns is None:
        return
    if (twice := same_name(format.columns)) is not None:
        yield Issue("bad_value", "/format/columns", f"the column {twice!r} is named twice")
    for name in format.types:
        if name not in format.columns:
            path = f"/format/types{pointer([name])}"
            yield Issue("bad_value", path, f"`columns` does not name the column {name!r}")


@dataclass(frozen=True)
class CsvTable:
    """A CSV file that is being read: its columns, and its rows, one at a time."""

    columns: list[str]
    rows: Iterator[Row]


def csv_table(file: BinaryIO, format: CsvFormat) -> CsvTable:
    """The table of the file. Raises `NodeError` table_bad_content and bad_value, as do its rows."""
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(_lines(file, format.encoding), delimiter=format.delimiter, strict=True)
    with _located(reader):
        names = format.columns or next(reader, [])
    if (twice := same_name(names)) is not None:
        raise bad_content(f"two columns have one name, {twice!r}")
    if names:
        check_named(format.types, names, "format.types")
    return CsvTable(names, _rows(reader, names, format.types))


def csv_rows(file: BinaryIO, format: CsvFormat) -> Iterator[Row]:
    """The rows of the table of the file. Raises as `csv_table`."""
    return csv_table(file, format).rows


def _rows(reader: _Reader, names: list[str], types: Mapping[str, ColumnType]) -> Iterator[Row]:
    kinds = [types.get(name, "text") for name in names]
    number = 0
    while True:
        with _located(reader):
            cells = next(reader, None)
        if cells is None:
            return
        if not cells:
            continue
        number += 1
        if len(cells) != len(names):
            raise bad_content(f"row {number} has {len(cells)} cells, and there are {len(names)} columns")
        yield {name: typed(cell, name, kind, number) for name, cell, kind in zip(names, cells, kinds, strict=True)}


class _Reader(Protocol):
    """What `csv.reader` gives."""

    @property
    def line_num(self) -> int: ...

    def __next__(self) -> list[str]: ...


@contextmanager
def _located(reader: _Reader) -> Iterator[None]:
    try:
        yield
    except (csv.Error, BadText) as error:
        raise bad_content(f"line {reader.line_num + 1}: {error}") from None


def _lines(file: BinaryIO, encoding: Encoding) -> Iterator[str]:
    """The lines of the file with their ends, as `csv.reader` wants them. Raises `BadText`."""
    for line in _split(decoded(iter(lambda: file.read(_PORTION), b""), encoding)):
        if "\0" in line:
            raise BadText("the character NUL, which no CSV file has; is `encoding` right?", 0)
        yield line


def _split(portions: Iterable[str]) -> Iterator[str]:
    parts: list[str] = []
    size, held = 0, ""
    for read in portions:
        portion, held = held + read, ""
        if portion.endswith("\r"):  # the first half of CR LF, perhaps
            portion, held = portion[:-1], "\r"
        start = 0
        for end in _LINE_END.finditer(portion):
            yield "".join([*parts, portion[start : end.end()]])
            parts.clear()
            size, start = 0, end.end()
        parts.append(portion[start:])
        size += len(portion) - start
        if size > MAX_CELL:
            raise BadText(f"more than {MAX_CELL} characters", 0)
    if rest := "".join([*parts, held]):
        yield rest
