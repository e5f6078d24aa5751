"""`file.read`: the content of a file as text, JSON, bytes or base64."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn

from pydantic import ConfigDict, Field

from graph_compiler.nodes.failures import FILE_FAILURES
from graph_compiler.nodes.http.http_request import HTTP_FAILURES
from graph_compiler.nodes.node_type import (
    NAMES_SECRET,
    TEMPLATED,
    FailureKind,
    NodeCall,
    NodeConfig,
    NodeType,
    Port,
    Ports,
)
from graph_compiler.values.durations import Duration
from graph_compiler.values.errors import NodeError
from graph_compiler.values.file_values import FileReference, reference_of
from graph_compiler.values.port_types import PortType
from graph_compiler.values.text_decoding import Encoding, decoded_text

MAX_READ = 8 * 1024 * 1024
_PORT_TYPES: Mapping[str, PortType] = {"text": "string", "json": "any", "bytes": "bytes", "base64": "string"}


class FileReadConfig(NodeConfig):
    """Config of `file.read`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"file": "reports/{{ params.day }}.json", "as": "json"},
                {"file": "{{ inputs.file }}"},
                {"file": "s3://bucket/table.json", "connection": "s3_reader", "as": "json"},
            ]
        }
    )

    file: Annotated[FileReference, TEMPLATED] = Field(description="A file value, a path in your files, or a URL.")
    as_: Literal["text", "json", "bytes", "base64"] = Field(
        default="text", alias="as", description="What is made of its bytes."
    )
    encoding: Encoding = Field(
        default="utf-8",
        description=(
            "Of text and JSON; a byte order mark is dropped. `utf-16` is read by its mark, and refused without one."
        ),
    )
    max_bytes: Annotated[int, Field(ge=1, le=MAX_READ)] = Field(
        default=MAX_READ, description="A larger file ends the node with `file_too_large`."
    )
    connection: str | None = Field(
        default=None,
        json_schema_extra=NAMES_SECRET,
        description="Name of the secret with the options of an s3 or gs client, as JSON.",
    )
    timeout: Duration = Field(default=60.0, description="Of fetching a web address.")


def _ports(content: PortType) -> Ports:
    return Ports(
        inputs=(),
        outputs=(
            Port("content", content, "What is in it."),
            Port("size", "integer", "Its bytes."),
        ),
    )


class FileRead(NodeType[FileReadConfig]):
    """See the module."""

    name = "file.read"
    summary = "Read a file's content."
    config_model = FileReadConfig
    fallback_ports = _ports("any")
    notes = (
        "For small files (8 MiB); larger ones go by their file value to"
        " `http.request`, `csv.read`, `parquet.read` and `file.write`."
    )
    failures = (
        *FILE_FAILURES,
        FailureKind("file_bad_content", "The bytes are not of the encoding, or not JSON."),
        *HTTP_FAILURES,
    )

    def ports(self, config: FileReadConfig) -> Ports:
        return _ports(_PORT_TYPES[config.as_])

    def execute(self, call: NodeCall[FileReadConfig]) -> Mapping[str, Any]:
        config = call.config
        connection = None if config.connection is None else call.runtime.secret(config.connection)
        reference = reference_of(config.file)
        with call.runtime.open_file(reference, connection=connection, timeout=config.timeout) as file:
            content = file.read(config.max_bytes + 1)
        if len(content) > config.max_bytes:
            raise NodeError("file_too_large", f"the file has more than {config.max_bytes} bytes", retryable=False)
        return {"content": _made(config, content), "size": len(content)}


def _made(config: FileReadConfig, content: bytes) -> Any:
    if config.as_ == "bytes":
        return content
    if config.as_ == "base64":
        return b64encode(content).decode("ascii")
    try:
        text = decoded_text(content, config.encoding)
        return json.loads(text, parse_constant=_refuse) if config.as_ == "json" else text
    except (ValueError, RecursionError) as error:
        raise NodeError("file_bad_content", f"the content cannot be read: {error}", retryable=False) from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
