"""`file.list`: the files below a folder."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.nodes.failures import FILE_FAILURES
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
from graph_compiler.values.file_values import MARK, name_of, reference_of


class FileListConfig(NodeConfig):
    """Config of `file.list`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"folder": "reports", "pattern": "*.csv"}]})

    folder: Annotated[str, TEMPLATED] = Field(
        default="", description="A folder of your files, or an s3 or gs URL; empty for all of your files."
    )
    pattern: Annotated[str, TEMPLATED] = Field(
        default="*", description="What names look like, with `*`, `?` and `[a-z]`."
    )
    limit: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=10_000, description="More files end the node with `file_too_many`."
    )
    connection: str | None = Field(
        default=None,
        json_schema_extra=NAMES_SECRET,
        description="Name of the secret with the options of an s3 or gs client, as JSON.",
    )


class FileList(NodeType[FileListConfig]):
    """See the module."""

    name = "file.list"
    summary = "List the files below a folder, by name."
    config_model = FileListConfig
    notes = "The listed file values have no SHA-256, because their content is not read."
    failures = (*FILE_FAILURES, FailureKind("file_too_many", "There are more files than `limit`."))

    def ports(self, config: FileListConfig) -> Ports:
        return Ports(inputs=(), outputs=(Port("files", "array", "File values, in the order of their names."),))

    def execute(self, call: NodeCall[FileListConfig]) -> Mapping[str, Any]:
        config = call.config
        connection = None if config.connection is None else call.runtime.secret(config.connection)
        folder = reference_of(config.folder.rstrip("/")) if config.folder.rstrip("/") else ""
        found = call.runtime.list_files(folder, limit=config.limit, connection=connection)
        return {"files": [file for file in found if fnmatchcase(name_of(file[MARK]), config.pattern)]}
