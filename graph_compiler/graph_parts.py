"""The parts of a Dagster graph: which ops stand for a node, and what feeds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dagster import (
    DependencyDefinition,
    MultiDependencyDefinition,
    NodeInvocation,
    OpDefinition,
    RetryPolicy,
)
from dagster._core.definitions.dependency import DynamicCollectDependencyDefinition, IDependencyDefinition

from .foreach_ops import (
    EXPANDED,
    ITEM_INPUT,
    ITEMS_OUTPUT,
    RESULT,
    RESULTS_INPUT,
    collect_op,
    expand_op,
    item_op,
)
from .naming import DONE_OUTPUT, INPUTS_INPUT, after_input, collect_name, dagster_name, expand_name
from .node_ports import ERROR_PORT, ERRORS_PORT
from .ops import OpSignature, node_op
from .plan import GraphPlan, PlannedNode
from .retrying import retry_policy
from .spec import NodeSpec, PortRef
from .tags import FINALLY_TAG, step_tags

Dependencies = dict[str, IDependencyDefinition]


class GraphParts:
    """Op definitions by name, and invocations with what feeds them."""

    def __init__(self) -> None:
        self.definitions: dict[str, OpDefinition] = {}
        self.invocations: dict[NodeInvocation, Dependencies] = {}

    def add(
        self,
        op: OpDefinition,
        alias: str,
        dependencies: Dependencies,
        retry: RetryPolicy | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Invoke an op under an alias."""
        self.definitions[op.name] = op
        self.invocations[NodeInvocation(op.name, alias=alias, tags=tags, retry_policy=retry)] = dependencies

    def add_node(self, plan: GraphPlan, alias: str, node: PlannedNode) -> None:
        """The op, or the three ops, of a node."""
        tags, retry = step_tags(node.spec, node.node_type), retry_policy(node.spec.retry)
        if node.spec.foreach is None:
            signature = _signature(node, node.sources, _outputs(node))
            self.add(node_op(signature), alias, _dependencies(plan, node, node.sources), retry, tags)
            return
        expand, collect = expand_name(node.spec.id), collect_name(node.spec.id)
        rare = {FINALLY_TAG: tags[FINALLY_TAG]} if FINALLY_TAG in tags else None
        self.add(expand_op(_signature(node, node.sources)), expand, _dependencies(plan, node, node.sources), None, rare)
        items: Dependencies = {ITEM_INPUT: DependencyDefinition(expand, ITEMS_OUTPUT)}
        items |= _sources(plan, node, node.item_inputs)
        self.add(item_op(_signature(node, node.item_inputs, is_item=True)), alias, items, retry, tags)
        results: Dependencies = {
            RESULTS_INPUT: DynamicCollectDependencyDefinition(alias, RESULT),
            EXPANDED: DependencyDefinition(expand, EXPANDED),
        }
        self.add(collect_op(_signature(node, (), _outputs(node))), collect, results, None, rare)


def output_of(plan: GraphPlan, source: PortRef) -> DependencyDefinition:
    """The op output that a node's port stands for."""
    return DependencyDefinition(_last_op(plan.nodes[dagster_name(source.node)].spec), dagster_name(source.port))


def _last_op(spec: NodeSpec) -> str:
    return dagster_name(spec.id) if spec.foreach is None else collect_name(spec.id)


def _outputs(node: PlannedNode) -> tuple[str, ...]:
    added = [ERRORS_PORT.name] if node.spec.on_item_error == "collect" else []
    added += [ERROR_PORT.name] if node.spec.on_error == "route" else []
    return tuple(map(dagster_name, (*node.outputs, *added)))


def _signature(
    node: PlannedNode, inputs: Iterable[str], outputs: tuple[str, ...] = (), *, is_item: bool = False
) -> OpSignature:
    return OpSignature(
        node.spec.type,
        tuple(sorted(map(dagster_name, inputs))),
        outputs,
        afters=0 if is_item else len(_afters(node)),
        gathers=node.gathers,
        is_awaited=node.is_awaited,
        may_leave_out=node.may_leave_out,
    )


def _afters(node: PlannedNode) -> list[str]:
    return node.spec.after


def _dependencies(plan: GraphPlan, node: PlannedNode, inputs: Iterable[str]) -> Dependencies:
    dependencies = _sources(plan, node, inputs)
    for index, name in enumerate(_afters(node)):
        earlier = plan.nodes[dagster_name(name)].spec
        dependencies[after_input(index)] = DependencyDefinition(_last_op(earlier), DONE_OUTPUT)
    return dependencies


def _sources(plan: GraphPlan, node: PlannedNode, inputs: Iterable[str]) -> Dependencies:
    sources = {port: output_of(plan, node.sources[port]) for port in inputs}
    if not node.gathers:
        return {dagster_name(port): source for port, source in sources.items()}
    return {INPUTS_INPUT: MultiDependencyDefinition(list(dict.fromkeys(sources.values())))} if sources else {}
