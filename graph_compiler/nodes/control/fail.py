"""`fail`: the node fails, saying what it is told to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from graph_compiler.nodes.node_type import TEMPLATED, FailureKind, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.values.errors import NodeError
from graph_compiler.values.values import as_text


class FailConfig(NodeConfig):
    """Config of `fail`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"message": "no rows for {{ params.day }}", "kind": "no_rows"}]}
    )

    message: Annotated[Any, WithJsonSchema({"type": "string"}), TEMPLATED] = Field(description="Why it fails.")
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")] = Field(
        default="failed", description="The kind of the error, by which a document may branch."
    )
    retryable: bool = Field(default=False, description="Whether the node's `retry` tries again.")


class Fail(NodeType[FailConfig]):
    """See the module."""

    name = "fail"
    summary = "Fail with a message."
    config_model = FailConfig
    light = True
    failures = (FailureKind("failed", "Always, unless `kind` names another; tried again if `retryable` says so."),)

    def ports(self, config: FailConfig) -> Ports:
        return Ports(inputs=(), outputs=(Port("value", description="Never given; what depends on it is skipped."),))

    def execute(self, call: NodeCall[FailConfig]) -> Mapping[str, Any]:
        raise NodeError(call.config.kind, as_text(call.config.message), retryable=call.config.retryable)
