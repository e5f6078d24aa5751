"""A validated graph resolved against its node types: what each op of the compiled job needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graph_compiler.language.spec import GraphSpec, NodeSpec, PortRef
from graph_compiler.nodes.node_ports import inputs_of_items
from graph_compiler.nodes.node_type import AnyNodeType, NodeTypes, Port
from graph_compiler.running.naming import dagster_name
from graph_compiler.templates.templates import analyse, templates_in
from graph_compiler.values.errors import CompilationError
from graph_compiler.values.topology import topological_order


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
    """Whether another node's `after` names it, or the end of a called graph waits for it."""
    called: GraphPlan | None = None
    """The graph it calls, if that graph's nodes are steps of the run."""
    uses_processor: bool = False
    """Whether its step computes: of a call that is one step, whether any node in there does."""

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

    spec: GraphSpec
    nodes: Mapping[str, PlannedNode]
    output_sources: tuple[PortRef, ...]

    @property
    def outputs(self) -> Mapping[str, Any]:
        return self.spec.outputs

    @cached_property
    def order(self) -> tuple[PlannedNode, ...]:
        """The nodes, each after all it waits for."""
        links = [(source.node, node.spec.id) for node in self.nodes.values() for source in node.sources.values()]
        links += [(earlier, node.spec.id) for node in self.nodes.values() for earlier in node.spec.after]
        ordered = topological_order([node.spec.id for node in self.nodes.values()], links)
        return tuple(self.nodes[dagster_name(name)] for name in ordered)

    @property
    def ends(self) -> list[PlannedNode]:
        """The nodes for which the end of a called graph waits: of all but those that run last, none ends later."""
        return [node for node in self.nodes.values() if node.is_awaited and not node.spec.finally_]

    def node_at(self, path: str) -> PlannedNode:
        """The node that events call `path`; `call/inner` is a node of the graph that `call` calls."""
        graph, _, name = path.rpartition("/")
        return self.graph_at(graph).nodes[dagster_name(name)]

    def graph_at(self, path: str) -> GraphPlan:
        """The graph that the node at the path calls; this one for the empty path."""
        plan = self
        for name in path.split("/") if path else ():
            called = plan.nodes[dagster_name(name)].called
            assert called is not None
            plan = called
        return plan


def plan_graph(spec: GraphSpec, node_types: NodeTypes, *, is_called: bool = False) -> GraphPlan:
    """Resolve a spec that `validation.check` found no issue in; raises CompilationError if it cannot be one.

    `is_called` says that its nodes become steps of a run of another graph.
    """
    sources: dict[str, dict[str, PortRef]] = {node.id: {} for node in spec.nodes}
    try:
        for edge in spec.edges:
            sources[edge.target.node][edge.target.port] = edge.source
        awaited = {name for node in spec.nodes for name in node.after} | (_sinks(spec) if is_called else set())
        nodes = {
            dagster_name(node.id): _planned(node, node_types, sources[node.id], node.id in awaited)
            for node in spec.nodes
        }
    except (KeyError, ValueError) as error:
        raise CompilationError(f"the graph {spec.name!r} is not valid here: {error}") from error
    return GraphPlan(spec, nodes, node_references(spec.outputs))


def _sinks(spec: GraphSpec) -> set[str]:
    """The nodes that no other needs but those that run last."""
    ordinary = {node.id for node in spec.nodes if not node.finally_}
    return ordinary - {edge.source.node for edge in spec.edges if edge.target.node in ordinary}


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
    config = node_type.read_config(node.config, rendered=False)
    called = node_type.called(config)
    ports = node_type.ports(config)
    is_of_steps = called is not None and _is_of_steps(node)
    return PlannedNode(
        node,
        node_type,
        sources,
        {port.name: port for port in ports.inputs},
        {port.name: port for port in ports.outputs},
        tuple(inputs_of_items(node, node_type, ports, sources)) if node.foreach is not None else (),
        is_awaited,
        plan_graph(called.spec, node_types, is_called=True) if called is not None and is_of_steps else None,
        node_type.uses_processor or (called is not None and not is_of_steps and _computes(called.spec, node_types)),
    )


def _computes(spec: GraphSpec, node_types: NodeTypes) -> bool:
    for node in spec.nodes:
        node_type = node_types[node.type]
        called = node_type.called(node_type.read_config(node.config, rendered=False))
        if node_type.uses_processor or (called is not None and _computes(called.spec, node_types)):
            return True
    return False


def _is_of_steps(node: NodeSpec) -> bool:
    """Whether the nodes of the graph it calls can be steps: Dagster can only run a graph once, to its end."""
    is_once = node.foreach is None and node.repeat is None and node.retry is None
    is_simple = is_once and node.timeout is None and node.cache is None
    return is_simple and node.on_error == "fail" and not node.finally_
