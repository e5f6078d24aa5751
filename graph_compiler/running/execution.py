"""Runs one node: renders its config, checks the values at its ports, calls its type. Knows nothing of Dagster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from graph_compiler.language.spec import PortRef, RetrySpec
from graph_compiler.nodes.node_ports import ITEM_NAMES
from graph_compiler.nodes.node_type import NodeCall, Port
from graph_compiler.nodes.runtime import NodeRuntime
from graph_compiler.running.plan import GraphPlan, PlannedNode
from graph_compiler.templates.templates import render
from graph_compiler.values.binary import compact
from graph_compiler.values.canonical import canonical_json, content_hash
from graph_compiler.values.errors import BadValue, NodeError
from graph_compiler.values.port_types import conforms, type_of
from graph_compiler.values.values import as_json

MAX_ITEMS = 10_000
"""Items of one `foreach`: each is a step of the run."""
LARGEST_ITEM = 4_096
"""Characters of JSON up to which the record of an error shows the item."""


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


@dataclass(frozen=True)
class Item:
    """One item of a `foreach` and its place, from 0."""

    index: int
    value: Any

    def described(self) -> dict[str, Any]:
        """`{item, value}` for the record of an error; of a large value `bytes` instead."""
        size = len(compact(self.value))
        return {"item": self.index, **({"value": self.value} if size <= LARGEST_ITEM else {"bytes": size})}


class Turn(NamedTuple):
    """A turn of a `repeat`: its number, from 0, and the outputs of the one before."""

    number: int
    last: Mapping[str, Any] | None


class Scope(NamedTuple):
    """Where a node runs: its name in events (`call/inner` in a called graph), and what its templates see."""

    name: str
    params: Mapping[str, Any]
    outcome: Mapping[str, Any] = MappingProxyType({})
    """`status` and `error` of what ended before, for a node that runs last in a call."""
    turn: Turn | None = None


def run_node(
    node: PlannedNode,
    inputs: Mapping[str, Any],
    runtime: NodeRuntime,
    *,
    item: Item | None = None,
    scope: Scope | None = None,
) -> dict[str, Any]:
    """One attempt of the node, or of one item of it, with JSON values by input port; answers values by output port.

    Raises `NodeError`: template_error, bad_config, bad_value, or what the node type raises.
    """
    for name, value in inputs.items():
        _check(value, node.inputs.get(name, Port(name)), f"input {name}")
    context = node_context(runtime, inputs, scope)
    if item is not None:
        context |= {"item": item.value, "index": item.index}
        inputs = {**inputs, **{name: context[name] for name in ITEM_NAMES if name in node.inputs}}
    cache = node.spec.cache
    key = "" if cache is None else result_key(node, context, scope)
    if cache is not None and (known := runtime.recall(key)) is not None:
        return dict(known)
    outputs = runtime.masked(_executed(node, inputs, runtime, item, scope, context))
    if cache is not None:
        runtime.remember(key, outputs, cache.ttl)
    return dict(outputs)


def result_key(node: PlannedNode, context: Mapping[str, Any], scope: Scope | None = None) -> str:
    """Names the node's result: its id, its type, its config as written, and its rendered `cache.key`.

    In a called graph the id is that of all nodes on the way to it, without items and turns.
    """
    spec = node.spec
    assert spec.cache is not None
    key = as_json(render(spec.cache.key, context), "cache.key")
    name = spec.id if scope is None else re.sub(r"\[\d+\]|#\d+", "", scope.name)
    return content_hash(canonical_json([name, spec.type, spec.config, key]))


def _executed(
    node: PlannedNode,
    inputs: Mapping[str, Any],
    runtime: NodeRuntime,
    item: Item | None,
    scope: Scope | None,
    context: dict[str, Any],
) -> dict[str, Any]:
    if node.node_type.secrets:
        context["secrets"] = Secrets(runtime)
    call = NodeCall(
        node.spec.id if scope is None else scope.name,
        rendered_config(node, context),
        inputs,
        runtime,
        node.spec.timeout,
        None if item is None else item.index,
        context,
    )
    return _checked(node, node.node_type.execute(call))


def _checked(node: PlannedNode, outputs: Mapping[str, Any]) -> dict[str, Any]:
    known = outputs.keys() <= node.outputs.keys() if node.node_type.chooses else outputs.keys() == node.outputs.keys()
    if not known:
        raise BadValue(f"the node type {node.spec.type} answered other ports than it has: {sorted(outputs)}")
    values = {name: as_json(value, f"output {name}") for name, value in outputs.items()}
    for name, value in values.items():
        _check(value, node.outputs[name], f"output {name}")
    return values


def is_tried_again(retry: RetrySpec, error: NodeError, attempt: int) -> bool:
    """Whether another attempt follows this one (from 1) that ended with the error."""
    if not error.retryable or attempt >= retry.max_attempts:
        return False
    return retry.on is None or error.kind in retry.on


def is_wanted(node: PlannedNode, inputs: Mapping[str, Any], runtime: NodeRuntime, scope: Scope | None = None) -> bool:
    """Whether the node's `when` lets it run. Raises `NodeError`: template_error, bad_value."""
    if node.spec.when is None:
        return True
    wanted = render(node.spec.when, node_context(runtime, inputs, scope))
    if not isinstance(wanted, bool):
        raise BadValue(f"when: expected true or false, got {type_of(wanted)}")
    return wanted


def is_reached(
    node: PlannedNode, inputs: Mapping[str, Any], outputs: Mapping[str, Any], runtime: NodeRuntime, scope: Scope
) -> bool:
    """Whether the turn that gave `outputs` is the last of a `repeat`. Raises `NodeError`: template_error, bad_value."""
    assert node.spec.repeat is not None
    reached = render(node.spec.repeat.until, node_context(runtime, inputs, scope) | {"outputs": outputs})
    if not isinstance(reached, bool):
        raise BadValue(f"repeat.until: expected true or false, got {type_of(reached)}")
    return reached


def items_of(
    node: PlannedNode,
    inputs: Mapping[str, Any],
    runtime: NodeRuntime,
    scope: Scope | None = None,
    most: int = MAX_ITEMS,
) -> list[Any]:
    """The items of the node's `foreach`. Raises `NodeError`: template_error, bad_value, too_many_items."""
    items = render(node.spec.foreach, node_context(runtime, inputs, scope))
    if not isinstance(items, list):
        raise BadValue(f"foreach: expected a list, got {type_of(items)}")
    if len(items) > most:
        message = f"foreach: {len(items)} items; {most} are the limit"
        raise NodeError("too_many_items", message, retryable=False)
    return items


def render_outputs(
    plan: GraphPlan, values: Mapping[PortRef, Any], runtime: NodeRuntime, scope: Scope | None = None
) -> dict[str, Any]:
    """The graph's outputs from the ports that have a value; others are undefined. Raises `NodeError`."""
    nodes: dict[str, dict[str, Any]] = {source.node: {} for source in plan.output_sources}
    for source, value in values.items():
        nodes.setdefault(source.node, {})[source.port] = value
    rendered = render(dict(plan.outputs), _context(runtime, scope) | {"nodes": nodes})
    return {name: as_json(value, f"output {name}") for name, value in rendered.items()}


def node_context(runtime: NodeRuntime, inputs: Mapping[str, Any], scope: Scope | None = None) -> dict[str, Any]:
    """What the templates of a node see, secrets and items apart."""
    return _context(runtime, scope) | {"inputs": inputs}


def _context(runtime: NodeRuntime, scope: Scope | None) -> dict[str, Any]:
    if scope is None:
        return {"params": runtime.params, "trigger": runtime.trigger, "run": runtime.run}
    turn = {} if scope.turn is None else {"iteration": scope.turn.number, "last": scope.turn.last}
    return {"params": scope.params, "trigger": runtime.trigger, "run": {**runtime.run, **scope.outcome}, **turn}


def rendered_config(node: PlannedNode, context: Mapping[str, Any]) -> Any:
    """The node's config, its templates rendered. Raises `NodeError`: template_error, bad_value, bad_config."""
    templated = node.node_type.config_model.rendered_fields()
    config = node.spec.config
    values = {name: render(value, context) if name in templated else value for name, value in config.items()}
    try:
        return node.node_type.read_config(values, rendered=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise NodeError("bad_config", f"config.{place}: {first['msg']}", retryable=False) from None


def _check(value: Any, port: Port, place: str) -> None:
    if not conforms(value, port.type):
        raise BadValue(f"{place}: expected {port.type}, got {type_of(value)}")
