"""Runs one node: renders its config, checks the values at its ports, calls its type. Knows nothing of Dagster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from .errors import BadValue, NodeError
from .node_type import AnyNodeType, NodeCall, NodeConfig, Port
from .plan import GraphPlan, PlannedNode
from .port_types import conforms, type_of
from .runtime import NodeRuntime
from .templates import render
from .values import as_json


class Secrets(Mapping[str, str]):
    """The owner's secrets as templates see them: read one by one, never listed."""

    def __init__(self, runtime: NodeRuntime) -> None:
        self._runtime = runtime

    def __getitem__(self, name: str) -> str:
        return self._runtime.secret(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def run_node(node: PlannedNode, inputs: Mapping[str, Any], runtime: NodeRuntime) -> dict[str, Any]:
    """One attempt of the node with JSON values by input port; answers one for every output port.

    Raises `NodeError`: template_error, bad_config, bad_value, or what the node type raises.
    """
    for name, value in inputs.items():
        _check(value, node.inputs.get(name, Port(name)), f"input {name}")
    context = _context(runtime) | {"inputs": inputs}
    if node.node_type.secrets:
        context["secrets"] = Secrets(runtime)
    call = NodeCall(
        node.spec.id, _rendered(node.node_type, node.spec.config, context), inputs, runtime, node.spec.timeout
    )
    outputs = node.node_type.execute(call)
    if outputs.keys() != node.outputs.keys():
        raise BadValue(f"the node type {node.spec.type} answered other ports than it has: {sorted(outputs)}")
    values = {name: as_json(value, f"output {name}") for name, value in outputs.items()}
    for name, value in values.items():
        _check(value, node.outputs[name], f"output {name}")
    return values


def render_outputs(plan: GraphPlan, values: list[Any], runtime: NodeRuntime) -> dict[str, Any]:
    """The graph's outputs; `values` are those of `plan.output_sources`, in that order. Raises `NodeError`."""
    nodes: dict[str, dict[str, Any]] = {}
    for source, value in zip(plan.output_sources, values, strict=True):
        nodes.setdefault(source.node, {})[source.port] = value
    rendered = render(dict(plan.outputs), _context(runtime) | {"nodes": nodes})
    return {name: as_json(value, f"output {name}") for name, value in rendered.items()}


def _context(runtime: NodeRuntime) -> dict[str, Any]:
    return {"params": runtime.params, "trigger": runtime.trigger, "run": runtime.run}


def _rendered(node_type: AnyNodeType, config: Mapping[str, Any], context: Mapping[str, Any]) -> NodeConfig:
    templated = node_type.config_model.templated_fields()
    values = {name: render(value, context) if name in templated else value for name, value in config.items()}
    try:
        read: NodeConfig = node_type.read_config(values, rendered=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise NodeError("bad_config", f"config.{place}: {first['msg']}", retryable=False) from None
    return read


def _check(value: Any, port: Port, place: str) -> None:
    if not conforms(value, port.type):
        raise BadValue(f"{place}: expected {port.type}, got {type_of(value)}")
