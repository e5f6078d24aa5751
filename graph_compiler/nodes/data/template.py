"""`template`: a text made of templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from graph_compiler.nodes.node_type import TEMPLATED, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.values.values import as_text

_TEXT = "Hello {{ params.name }},\n{% for row in inputs.rows %}- {{ row.title }}\n{% endfor %}"


class TemplateConfig(NodeConfig):
    """Config of `template`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": _TEXT}]})

    text: Annotated[Any, WithJsonSchema({"type": "string"}), TEMPLATED] = Field(
        description="The text; what its templates give is written as JSON unless it is text."
    )


class Template(NodeType[TemplateConfig]):
    """See the module."""

    name = "template"
    summary = "Write a text with templates."
    config_model = TemplateConfig
    light = True
    notes = "Like `transform`, but what comes out is always text, also when the text is a lone `{{ }}`."

    def ports(self, config: TemplateConfig) -> Ports:
        return Ports(inputs=(), outputs=(Port("text", "string", "The text."),))

    def execute(self, call: NodeCall[TemplateConfig]) -> Mapping[str, Any]:
        return {"text": as_text(call.config.text)}
