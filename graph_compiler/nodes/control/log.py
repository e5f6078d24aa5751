"""`log`: a line among the run's events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from graph_compiler.nodes.node_type import TEMPLATED, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.nodes.runtime import Level
from graph_compiler.values.texts import shortened
from graph_compiler.values.values import as_text

MAX_MESSAGE = 16 * 1024


class LogConfig(NodeConfig):
    """Config of `log`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"message": "{{ inputs.rows | length }} rows", "level": "warning", "data": {"page": 2}}]
        }
    )

    message: Annotated[Any, WithJsonSchema({"type": "string"}), TEMPLATED] = Field(
        description=f"The line; cut after {MAX_MESSAGE} characters."
    )
    level: Annotated[Level, TEMPLATED] = Field(default="info", description="How much it matters.")
    data: Annotated[dict[str, Any], TEMPLATED] = Field(
        default_factory=dict, description="JSON that comes with the line."
    )


class Log(NodeType[LogConfig]):
    """See the module."""

    name = "log"
    summary = "Write a line to the run's events, and pass the input on."
    config_model = LogConfig
    light = True
    notes = "The event's type is `log`. Secrets cannot be used in it."

    def ports(self, config: LogConfig) -> Ports:
        return Ports(
            inputs=(Port("value", description="Passed on unchanged."),),
            outputs=(Port("value", description="The input, or null without one."),),
        )

    def execute(self, call: NodeCall[LogConfig]) -> Mapping[str, Any]:
        config = call.config
        message = shortened(as_text(config.message), MAX_MESSAGE)
        call.runtime.emit("log", message, level=config.level, node=call.node, item=call.item, data=config.data)
        return {"value": call.inputs.get("value")}
