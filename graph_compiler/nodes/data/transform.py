"""`transform`: a value made of templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.nodes.node_type import TEMPLATED, NodeCall, NodeConfig, NodeType, Port, Ports


class TransformConfig(NodeConfig):
    """Config of `transform`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"value": "{{ inputs.scores | length }}"}]})

    value: Annotated[Any, TEMPLATED] = Field(
        description="Any JSON; each template in it is rendered, and a lone `{{ }}` keeps its type."
    )


class Transform(NodeType[TransformConfig]):
    """See the module."""

    name = "transform"
    summary = "Make a value from params and inputs with templates."
    config_model = TransformConfig
    light = True

    def ports(self, config: TransformConfig) -> Ports:
        return Ports(inputs=(), outputs=(Port("value", description="The rendered value."),))

    def execute(self, call: NodeCall[TransformConfig]) -> Mapping[str, Any]:
        return {"value": call.config.value}
