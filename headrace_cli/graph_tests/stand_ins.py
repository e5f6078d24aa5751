"""A plan in which stand-ins answer for some nodes, in the graph itself and in those that it calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from graph_compiler.language.graph_test import STAND_IN_ERROR, StandInError
from graph_compiler.language.library import GRAPH_TYPE, CalledGraph, NotCallable
from graph_compiler.language.spec import GraphSpec, NodeSpec
from graph_compiler.nodes.node_ports import ERROR_PORT, ERRORS_PORT, ports_of
from graph_compiler.nodes.node_type import AnyNodeType, NodeCall, NodeConfig, NodeType, NodeTypes, Port, Ports
from graph_compiler.running.graph_node import Graph
from graph_compiler.running.plan import GraphPlan, PlannedNode, plan_graph
from graph_compiler.values.errors import NodeError

NO_STAND_IN = "no_stand_in"
"""The kind of the error of a node that reaches the world and has no stand-in."""
_WITHOUT: Mapping[str, Any] = {
    "config": {}, "foreach": None, "max_parallel": None, "on_item_error": None, "repeat": None, "cache": None,
    "timeout": None,
}  # fmt: skip
"""What a node that has a stand-in does not do."""

StandIns = Mapping[str, Mapping[str, Any]]


class StandIn(NodeType[NodeConfig]):
    """The type of one node that has a stand-in: it answers what it was given, or fails."""

    name = "stand-in"
    summary = "Answers what a test gave."
    config_model = NodeConfig
    light = True

    def __init__(self, ports: Ports, answer: Mapping[str, Any] | NodeError) -> None:
        self._ports = ports
        self._answer = answer

    def ports(self, config: NodeConfig) -> Ports:
        return self._ports

    def execute(self, call: NodeCall[NodeConfig]) -> Mapping[str, Any]:
        if isinstance(self._answer, NodeError):
            raise NodeError(self._answer.kind, self._answer.message, retryable=self._answer.retryable)
        return self._answer


class _Gathering(StandIn):
    gathers = True


class _Choosing(StandIn):
    chooses = True


def plan_with(spec: GraphSpec, stand_ins: StandIns, node_types: NodeTypes, *, is_called: bool = False) -> GraphPlan:
    """The plan of a valid spec, its stand-ins by node or by the way to it.

    A call of a graph that is not known fails its node when it is reached. Raises `CompilationError` if a called graph
    has such a call.
    """
    nodes: list[NodeSpec] = []
    types: dict[str, AnyNodeType] = dict(node_types)
    for node in spec.nodes:
        stand_in = _stand_in(node, stand_ins.get(node.id), node_types[node.type])
        if stand_in is None:
            nodes.append(node)
        else:
            types[f"{StandIn.name} {node.id}"] = stand_in
            nodes.append(node.model_copy(update={**_WITHOUT, "type": f"{StandIn.name} {node.id}"}))
    plan = plan_graph(spec.model_copy(update={"nodes": nodes}), types, is_called=is_called)
    calls = {alias: _call(node, stand_ins, node_types) for alias, node in plan.nodes.items()}
    return replace(plan, nodes=calls)


def _call(node: PlannedNode, stand_ins: StandIns, node_types: NodeTypes) -> PlannedNode:
    if node.spec.type != GRAPH_TYPE:
        return node
    called = node.node_type.called(node.node_type.read_config(node.spec.config, rendered=False))
    assert called is not None
    way = f"{node.spec.id}/"
    inner = {path.removeprefix(way): values for path, values in stand_ins.items() if path.startswith(way)}
    return replace(node, called=plan_with(called.spec, inner, node_types, is_called=True))


def _stand_in(node: NodeSpec, values: Mapping[str, Any] | None, node_type: AnyNodeType) -> StandIn | None:
    config = node_type.read_config(node.config, rendered=False)
    declared = node_type.ports(config)
    if values is None:
        callee = node_type.callee(config) if isinstance(node_type, Graph) else None
        return None if callee is None or isinstance(callee, CalledGraph) else _unknown_call(callee)
    ports = ports_of(node, declared)
    outputs = tuple(port for port in ports.outputs if port is not ERROR_PORT)
    answer = _answer(values, outputs)
    if not declared.is_known:
        outputs = tuple(Port(name) for name in values)
    inputs = ports.inputs if node.foreach is None else ()
    made = _Gathering if node_type.gathers else _Choosing if node_type.chooses else StandIn
    return made(Ports(inputs, outputs), answer)


def _answer(values: Mapping[str, Any], outputs: Iterable[Port]) -> Mapping[str, Any] | NodeError:
    names = {port.name for port in outputs}
    if STAND_IN_ERROR in values and STAND_IN_ERROR not in names:
        error = StandInError.model_validate(values[STAND_IN_ERROR])
        return NodeError(error.kind, error.message)
    return {ERRORS_PORT.name: [], **values} if ERRORS_PORT in tuple(outputs) else values


def _unknown_call(callee: NotCallable) -> StandIn:
    message = f"{callee.message}; give its document by --with, or the node a stand-in"
    return StandIn(Ports((), (), takes_all=True), NodeError(NO_STAND_IN, message, retryable=False))
