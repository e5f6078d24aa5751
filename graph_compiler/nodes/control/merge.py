"""`merge`: branches of which some were skipped become one again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field

from graph_compiler.nodes.node_type import NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.values.port_types import PortType


class MergeConfig(NodeConfig):
    """Config of `merge`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"mode": "first"}]})

    mode: Literal["first", "list", "object"] = Field(
        default="first",
        description="Of the inputs that were not skipped: the first in the order of the edges, all as a list in that "
        "order, or all as an object by port.",
    )


_TYPES: dict[str, PortType] = {"first": "any", "list": "array", "object": "object"}


def _ports(value: PortType) -> Ports:
    return Ports(inputs=(), outputs=(Port("value", value, "What was there."),), takes_all=True)


class Merge(NodeType[MergeConfig]):
    """See the module."""

    name = "merge"
    summary = "Go on with whichever inputs were not skipped; skipped itself only if all were."
    config_model = MergeConfig
    fallback_ports = _ports("any")
    light = True
    gathers = True
    takes_foreach = False

    def ports(self, config: MergeConfig) -> Ports:
        return _ports(_TYPES[config.mode])

    def execute(self, call: NodeCall[MergeConfig]) -> Mapping[str, Any]:
        if call.config.mode == "object":
            return {"value": dict(call.inputs)}
        values = list(call.inputs.values())
        return {"value": values if call.config.mode == "list" else values[0]}
