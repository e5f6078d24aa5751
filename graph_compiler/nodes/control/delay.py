"""`delay`: time passes, the value passes through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.nodes.node_type import TEMPLATED, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.values.durations import Duration
from graph_compiler.values.errors import NodeError


class DelayConfig(NodeConfig):
    """Config of `delay`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"duration": "1.5s"}]})

    duration: Annotated[Duration, TEMPLATED] = Field(description="How long to wait.", examples=["500ms", 2, "1h"])


class Delay(NodeType[DelayConfig]):
    """See the module."""

    name = "delay"
    summary = "Wait, then pass the input on."
    config_model = DelayConfig
    light = True
    pauses = True

    def ports(self, config: DelayConfig) -> Ports:
        return Ports(
            inputs=(Port("value", description="Passed on unchanged."),),
            outputs=(Port("value", description="The input, or null without one."),),
        )

    def pause(self, config: DelayConfig, timeout: float | None) -> float:
        return config.duration if timeout is None else min(config.duration, timeout)

    def execute(self, call: NodeCall[DelayConfig]) -> Mapping[str, Any]:
        duration = call.config.duration
        if call.timeout is not None and duration > call.timeout:
            call.runtime.wait(call.timeout)
            raise NodeError("timeout", f"waited {call.timeout:g} s, the node's timeout, of {duration:g} s")
        call.runtime.wait(duration)
        return {"value": call.inputs.get("value")}
