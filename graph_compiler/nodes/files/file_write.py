"""`file.write`: a file made of a value, or copied from another file."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from graph_compiler.language.issues import Issue
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
from graph_compiler.values.binary import dumps
from graph_compiler.values.durations import Duration
from graph_compiler.values.errors import NodeError
from graph_compiler.values.file_values import FileReference, reference_of
from graph_compiler.values.values import as_text

PORTION = 1024 * 1024


class FileWriteConfig(NodeConfig):
    """Config of `file.write`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"path": "reports/{{ run.id }}.json", "content": "{{ inputs.report }}", "as": "json"},
                {"path": "copies/data.csv", "from": "https://example.com/data.csv"},
            ]
        }
    )

    path: Annotated[str, TEMPLATED] = Field(
        description="A path in your files, or an s3 or gs URL; a file there is replaced."
    )
    content: Annotated[Any, TEMPLATED] = Field(default=None, description="What is written.")
    from_: Annotated[FileReference | None, TEMPLATED] = Field(
        default=None, alias="from", description="A file to copy instead: a file value, a path or a URL; of any size."
    )
    as_: Literal["text", "json", "base64"] = Field(
        default="text",
        alias="as",
        description="How `content` becomes bytes if it is none: as UTF-8, as JSON, or decoded from base64.",
    )
    media_type: str | None = Field(default=None, description="Of the file; without it, what the name's ending says.")
    connection: str | None = Field(
        default=None,
        json_schema_extra=NAMES_SECRET,
        description="Name of the secret with the options of an s3 or gs client, as JSON.",
    )
    timeout: Duration = Field(default=60.0, description="Of fetching a web address.")


class FileWrite(NodeType[FileWriteConfig]):
    """See the module."""

    name = "file.write"
    summary = "Write or copy a file."
    config_model = FileWriteConfig
    notes = (
        "The file is there when all of it is written; a reader never sees a part. Your files are yours: other owners"
        " have a folder of their own."
    )
    failures = (
        *FILE_FAILURES,
        FailureKind("file_bad_content", "`content` is not base64."),
        *HTTP_FAILURES,
    )

    def ports(self, config: FileWriteConfig) -> Ports:
        return Ports(inputs=(), outputs=(Port("file", "object", "The file value: `$file`, size, media_type, sha256."),))

    def defects(self, config: FileWriteConfig) -> Iterator[Issue]:
        if config.from_ is not None and config.content is not None:
            yield Issue("bad_value", "/from", "`from` and `content` exclude each other")

    def execute(self, call: NodeCall[FileWriteConfig]) -> Mapping[str, Any]:
        config = call.config
        connection = None if config.connection is None else call.runtime.secret(config.connection)
        target = reference_of(config.path)
        with call.runtime.create_file(target, media_type=config.media_type, connection=connection) as sink:
            if config.from_ is None:
                sink.write(_bytes(config))
            else:
                source = reference_of(config.from_)
                with call.runtime.open_file(source, connection=connection, timeout=config.timeout) as file:
                    while portion := file.read(PORTION):
                        sink.write(portion)
        return {"file": sink.value}


def _bytes(config: FileWriteConfig) -> bytes:
    if config.as_ == "json":
        return dumps(config.content, ensure_ascii=False).encode()
    if isinstance(config.content, bytes):
        return config.content
    if config.as_ == "text":
        return as_text(config.content).encode()
    try:
        return b64decode(as_text(config.content), validate=True)
    except ValueError as error:
        raise NodeError("file_bad_content", f"the content is not base64: {error}", retryable=False) from None
