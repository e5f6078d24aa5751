"""A validated graph resolved against its node types: what each op of the compiled job needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import CompilationError
from .naming import dagster_name
from .node_ports import inputs_of_items
from .node_type import AnyNodeType, NodeTypes, Port
from .spec import GraphSpec, NodeSpec, PortRef
from .templates import analyse, templates_in


@dataclass(frozen=True)
class PlannedNode:
    """One node with its type; `sources` maps each connected input port to the output that feeds it.

    `inputs` are the ports its type declares, `outputs` those of one execution of it: under `foreach` of one item.
    """

    spec: NodeSpec
    node_type: AnyNodeType
    sources: Mapping[str, PortRef]
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    item_inputs: tuple[str, ...] = ()
    """The connected inputs that each item of a `foreach` takes."""
    is_awaited: bool = False
    """Whether another node's `after` names it."""

    @property
    def gathers(self) -> bool:
        """Whether it runs with whichever of its inputs there are."""
        return self.node_type.gathers or self.spec.finally_

    @property
    def may_leave_out(self) -> bool:
        """Whether it may end well without all of its outputs."""
        return self.spec.when is not None or self.spec.on_error != "fail" or self.node_type.chooses


@dataclass(frozen=True)
class GraphPlan:
    """All nodes in the document's order, by op alias, and the outputs with the ports their templates read."""

    nodes: Mapping[str, PlannedNode]
    outputs: Mapping[str, Any]
    output_sources: tuple[PortRef, ...]


def plan_graph(spec: GraphSpec, node_types: NodeTypes) -> GraphPlan:
    """Resolve a spec that `validation.check` found no issue in; raises CompilationError if it cannot be one."""
    sources: dict[str, dict[str, PortRef]] = {node.id: {} for node in spec.nodes}
    try:
        for edge in spec.edges:
            sources[edge.target.node][edge.target.port] = edge.source
        awaited = {name for node in spec.nodes for name in node.after}
        nodes = {
            dagster_name(node.id): _planned(node, node_types, sources[node.id], node.id in awaited)
            for node in spec.nodes
        }
    except (KeyError, ValueError) as error:
        raise CompilationError(f"the graph {spec.name!r} is not valid here: {error}") from error
    return GraphPlan(nodes, spec.outputs, node_references(spec.outputs))


def node_references(outputs: Mapping[str, Any]) -> tuple[PortRef, ...]:
    """The output ports that templates of a graph's outputs read, each once, in order of appearance."""
    found: dict[PortRef, None] = {}
    for _, text in templates_in(dict(outputs), ""):
        for reference in analyse(text).references:
            if reference.root == "nodes" and len(reference.path) >= 3:
                found[PortRef(*reference.path[1:3])] = None
    return tuple(found)


def _planned(node: NodeSpec, node_types: NodeTypes, sources: Mapping[str, PortRef], is_awaited: bool) -> PlannedNode:
    node_type = node_types[node.type]
    ports = node_type.ports(node_type.read_config(node.config, rendered=False))
    return PlannedNode(
        node,
        node_type,
        sources,
        {port.name: port for port in ports.inputs},
        {port.name: port for port in ports.outputs},
        tuple(inputs_of_items(node, node_type, ports, sources)) if node.foreach is not None else (),
        is_awaited,
    )
