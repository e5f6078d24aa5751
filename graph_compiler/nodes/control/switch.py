"""`switch`: the value goes on through one of several ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from graph_compiler.nodes.node_type import LAZY, ConfigDefect, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.values.errors import BadValue
from graph_compiler.values.port_types import type_of

DEFAULT = "default"


class Case(NodeConfig):
    """One way out."""

    port: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")] = Field(description="The output port.")
    when: bool | str = Field(description="A template that gives true or false.")


class SwitchConfig(NodeConfig):
    """Config of `switch`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"cases": [{"port": "large", "when": "{{ inputs.value > 10 }}"}]}]}
    )

    cases: Annotated[list[Case], LAZY, Field(min_length=1, max_length=100)] = Field(
        description="Tried in this order; the first whose `when` is true is taken, and the rest are not rendered."
    )


class Switch(NodeType[SwitchConfig]):
    """See the module."""

    name = "switch"
    summary = "Pass the value on through the first port whose condition holds, else through `default`."
    config_model = SwitchConfig
    light = True
    chooses = True
    takes_foreach = False

    def ports(self, config: SwitchConfig) -> Ports:
        if not isinstance(config.cases, list):  # a template, which is a defect
            return Ports((), (), is_known=False)
        names = dict.fromkeys(case.port for case in config.cases if case.port != DEFAULT)
        return Ports(
            inputs=(Port("value", description="Passed on unchanged; null without it."),),
            outputs=(
                *(Port(name, description="The value, if this is the first case that holds.") for name in names),
                Port(DEFAULT, description="The value, if no case holds."),
            ),
        )

    def defects(self, config: SwitchConfig) -> Iterator[ConfigDefect]:
        if not isinstance(config.cases, list):
            yield ConfigDefect("wrong_type", "/cases", "expected a list, got a template; only `when` may be one")
            return
        seen = {DEFAULT}
        for row, case in enumerate(config.cases):
            if case.port in seen:
                message = f"another way out has the port `{case.port}`"
                yield ConfigDefect("bad_value", f"/cases/{row}/port", message)
            seen.add(case.port)

    def execute(self, call: NodeCall[SwitchConfig]) -> Mapping[str, Any]:
        for case in call.config.cases:
            holds = call.render(case.when)
            if not isinstance(holds, bool):
                raise BadValue(f"the case `{case.port}`: expected true or false, got {type_of(holds)}")
            if holds:
                return {case.port: call.inputs.get("value")}
        return {DEFAULT: call.inputs.get("value")}
