"""The parts of a Dagster graph: which ops stand for a node, what feeds them, and graphs within graphs.

Internals used: `IDependencyDefinition` and `DynamicCollectDependencyDefinition`, which say what feeds an input; and
`GraphDefinition._get_nodes_in_topological_order`, replaced so that long chains compile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dagster import (
    DependencyDefinition,
    GraphDefinition,
    InputMapping,
    MultiDependencyDefinition,
    NodeInvocation,
    OpDefinition,
    OutputMapping,
    RetryPolicy,
)
from dagster._core.definitions.dependency import DynamicCollectDependencyDefinition, IDependencyDefinition, Node
from dagster._core.definitions.node_definition import NodeDefinition

from graph_compiler.jobs.ops import (
    EXPANDED,
    FAN_IN,
    ITEM_INPUT,
    ITEMS_OUTPUT,
    RESULT,
    RESULTS_INPUT,
    OpSignature,
    collect_op,
    expand_op,
    item_op,
    node_op,
    params_op,
    results_op,
)
from graph_compiler.jobs.retry_policy import retry_policy
from graph_compiler.jobs.tags import FINALLY_TAG, step_tags
from graph_compiler.language.annotations import ANNOTATIONS
from graph_compiler.language.spec import NodeSpec, PortRef
from graph_compiler.nodes.node_ports import ERROR_PORT, ERRORS_PORT
from graph_compiler.running.naming import (
    DONE_OUTPUT,
    ENDED_INPUT,
    INPUTS_INPUT,
    OUTPUTS_OP,
    PARAMS_INPUT,
    PARAMS_OP,
    PARAMS_OUTPUT,
    after_input,
    collect_name,
    dagster_name,
    expand_name,
)
from graph_compiler.running.plan import GraphPlan, PlannedNode
from graph_compiler.values.canonical import canonical_json, content_hash
from graph_compiler.values.topology import topological_order

Dependencies = dict[str, IDependencyDefinition]


class PlannedGraph(GraphDefinition):
    """Orders its nodes without Dagster's recursive walk and its sort that is quadratic in depth.

    Internal touched: `GraphDefinition._get_nodes_in_topological_order` (Dagster 1.13), so that a chain of
    thousands of nodes compiles, and in linear time.
    """

    def _get_nodes_in_topological_order(self) -> Sequence[Node]:
        names = sorted(node.name for node in self.nodes)
        links = [
            (source.node_name, target)
            for target in names
            for source in self.dependency_structure.all_upstream_outputs_from_node(target)
        ]
        return [self.node_named(name) for name in topological_order(names, links)]


class GraphParts:
    """Definitions by name, and invocations with what feeds them, of a whole graph or of a called one."""

    def __init__(self, plan: GraphPlan, *, is_called: bool = False) -> None:
        self.plan = plan
        self.definitions: dict[str, NodeDefinition] = {}
        self.invocations: dict[NodeInvocation, Dependencies] = {}
        self._params: Dependencies = {PARAMS_INPUT: DependencyDefinition(PARAMS_OP, PARAMS_OUTPUT)} if is_called else {}
        for alias, node in plan.nodes.items():
            self._add_node(alias, node)

    def add(
        self,
        definition: NodeDefinition,
        alias: str,
        dependencies: Dependencies,
        retry: RetryPolicy | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Invoke a definition under an alias."""
        self.definitions[definition.name] = definition
        self.invocations[NodeInvocation(definition.name, alias=alias, tags=tags, retry_policy=retry)] = dependencies

    def add_outputs(self, definition: OpDefinition, dependencies: Dependencies) -> None:
        """Invoke the op that renders the graph's outputs."""
        sources = [output_of(self.plan, source) for source in self.plan.output_sources]
        fan_in: Dependencies = {FAN_IN: MultiDependencyDefinition(sources)} if sources else {}
        self.add(definition, OUTPUTS_OP, {**dependencies, **fan_in, **self._params})

    def _add_node(self, alias: str, node: PlannedNode) -> None:
        tags, retry = step_tags(node.spec, node.uses_processor), retry_policy(node.spec.retry)
        if node.called is not None:
            self.add(_called_graph(node, self._signature(node, node.sources)), alias, self._dependencies(node))
        elif node.spec.foreach is None:
            signature = self._signature(node, node.sources, _outputs(node))
            self.add(node_op(signature), alias, self._dependencies(node), retry, tags)
        else:
            self._add_foreach(alias, node, retry, tags)

    def _add_foreach(self, alias: str, node: PlannedNode, retry: RetryPolicy | None, tags: dict[str, str]) -> None:
        """The three ops of a node that runs once per item."""
        expand, collect = expand_name(node.spec.id), collect_name(node.spec.id)
        rare = {FINALLY_TAG: tags[FINALLY_TAG]} if FINALLY_TAG in tags else None
        self.add(expand_op(self._signature(node, node.sources)), expand, self._dependencies(node), None, rare)
        items: Dependencies = {ITEM_INPUT: DependencyDefinition(expand, ITEMS_OUTPUT)}
        items |= self._sources(node, node.item_inputs) | self._params
        self.add(item_op(self._signature(node, node.item_inputs, is_item=True)), alias, items, retry, tags)
        results: Dependencies = {
            RESULTS_INPUT: DynamicCollectDependencyDefinition(alias, RESULT),
            EXPANDED: DependencyDefinition(expand, EXPANDED),
        }
        self.add(collect_op(self._signature(node, (), _outputs(node))), collect, results, None, rare)

    def _signature(
        self, node: PlannedNode, inputs: Iterable[str], outputs: tuple[str, ...] = (), *, is_item: bool = False
    ) -> OpSignature:
        return OpSignature(
            node.spec.type,
            tuple(sorted(map(dagster_name, inputs))),
            outputs,
            afters=0 if is_item else len(node.spec.after),
            gathers=node.gathers,
            is_awaited=node.is_awaited,
            may_leave_out=node.may_leave_out,
            is_called=bool(self._params),
        )

    def _dependencies(self, node: PlannedNode) -> Dependencies:
        dependencies = self._sources(node, node.sources) | self._params
        for index, name in enumerate(node.spec.after):
            earlier = self.plan.nodes[dagster_name(name)].spec
            dependencies[after_input(index)] = DependencyDefinition(_last_op(earlier), DONE_OUTPUT)
        return dependencies

    def _sources(self, node: PlannedNode, inputs: Iterable[str]) -> Dependencies:
        sources = {port: output_of(self.plan, node.sources[port]) for port in inputs}
        if not node.gathers:
            return {dagster_name(port): source for port, source in sources.items()}
        return {INPUTS_INPUT: MultiDependencyDefinition(list(dict.fromkeys(sources.values())))} if sources else {}


def output_of(plan: GraphPlan, source: PortRef) -> DependencyDefinition:
    """The op output that a node's port stands for."""
    return DependencyDefinition(_last_op(plan.nodes[dagster_name(source.node)].spec), dagster_name(source.port))


def _called_graph(node: PlannedNode, signature: OpSignature) -> GraphDefinition:
    """The nested Dagster graph of a call: its params, its nodes, its outputs once all of those have ended."""
    assert node.called is not None
    plan = node.called
    parts = GraphParts(plan, is_called=True)
    first = params_op(signature)
    parts.add(first, PARAMS_OP, {})
    results = results_op(replace(signature, inputs=(), afters=0, outputs=_outputs(node)), bool(plan.output_sources))
    ends = [DependencyDefinition(_last_op(end.spec), DONE_OUTPUT) for end in plan.ends]
    parts.add_outputs(results, {ENDED_INPUT: MultiDependencyDefinition(ends)} if ends else {})
    return _graph_definition(parts, first, results)


_GRAPHS: dict[str, GraphDefinition] = {}
"""By name, which says all that is in them: Dagster refuses two definitions of one name in a repository."""


def _graph_definition(parts: GraphParts, first: OpDefinition, results: OpDefinition) -> GraphDefinition:
    spec = parts.plan.spec
    content = [spec.model_dump_json(by_alias=True, exclude=set(ANNOTATIONS)), *sorted(parts.definitions)]
    name = f"graph__{spec.name.replace('-', '_')}__{content_hash(canonical_json(content))[:12]}"
    if name not in _GRAPHS:
        _GRAPHS[name] = PlannedGraph(
            name=name,
            description=spec.description,
            node_defs=list(parts.definitions.values()),
            dependencies=parts.invocations,
            input_mappings=[
                InputMapping(graph_input_name=port, mapped_node_name=PARAMS_OP, mapped_node_input_name=port)
                for port in first.input_dict
            ],
            output_mappings=[
                OutputMapping(graph_output_name=port, mapped_node_name=OUTPUTS_OP, mapped_node_output_name=port)
                for port in results.output_dict
            ],
        )
    return _GRAPHS[name]


def _last_op(spec: NodeSpec) -> str:
    return dagster_name(spec.id) if spec.foreach is None else collect_name(spec.id)


def _outputs(node: PlannedNode) -> tuple[str, ...]:
    added = [ERRORS_PORT.name] if node.spec.on_item_error == "collect" else []
    added += [ERROR_PORT.name] if node.spec.on_error == "route" else []
    return tuple(map(dagster_name, (*node.outputs, *added)))
