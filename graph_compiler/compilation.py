"""A validated spec to a Dagster job: node to op invocation, edge to dependency; the same spec, the same job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagster import (
    Backoff,
    DependencyDefinition,
    ExecutorDefinition,
    GraphDefinition,
    Jitter,
    JobDefinition,
    MultiDependencyDefinition,
    NodeInvocation,
    OpDefinition,
    ResourceDefinition,
    RetryPolicy,
)
from dagster._core.definitions.dependency import Node

from .naming import AFTER_INPUT, OUTPUTS_OP, dagster_name
from .node_type import NodeTypes
from .node_types import builtin_node_types
from .ops import FAN_IN, OpSignature, node_op, outputs_op
from .plan import GraphPlan, PlannedNode, plan_graph
from .spec import GraphSpec, PortRef, RetrySpec
from .tags import run_tags
from .topology import topological_order

Dependencies = dict[str, DependencyDefinition | MultiDependencyDefinition]

_BACKOFF = {"constant": None, "linear": Backoff.LINEAR, "exponential": Backoff.EXPONENTIAL}
_JITTER = {"none": None, "full": Jitter.FULL, "plus_minus": Jitter.PLUS_MINUS}


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


def compile_job(
    spec: GraphSpec,
    *,
    name: str,
    runtime: ResourceDefinition,
    executor: ExecutorDefinition,
    io_manager: ResourceDefinition,
    node_types: NodeTypes | None = None,
    tags: Mapping[str, str] | None = None,
) -> JobDefinition:
    """The Dagster job of a spec that has no issues.

    `runtime` provides a `NodeRuntime`. The plan of the graph is a resource of the job (`plan`), so the ops
    are shared by all jobs. `tags` are added to those of the settings. Raises `CompilationError` if the
    spec does not fit `node_types`.
    """
    plan = plan_graph(spec, builtin_node_types() if node_types is None else node_types)
    definitions: dict[str, OpDefinition] = {}
    invocations: dict[NodeInvocation, Dependencies] = {}
    for alias, node in plan.nodes.items():
        op = node_op(_signature(node))
        definitions[op.name] = op
        invocations[_invocation(op, alias, node)] = _dependencies(plan, node)
    if plan.outputs:
        op = outputs_op(bool(plan.output_sources))
        definitions[op.name] = op
        invocations[NodeInvocation(op.name, alias=OUTPUTS_OP)] = _fan_in(plan)
    graph = PlannedGraph(
        name=name,
        description=spec.description,
        node_defs=list(definitions.values()),
        dependencies=invocations,
    )
    return graph.to_job(
        name=name,
        resource_defs={
            "runtime": runtime,
            "io_manager": io_manager,
            "plan": ResourceDefinition.hardcoded_resource(plan),
        },
        executor_def=executor,
        tags={**run_tags(spec.settings), **(tags or {})},
    )


def _signature(node: PlannedNode) -> OpSignature:
    return OpSignature(
        node.spec.type,
        tuple(sorted(map(dagster_name, node.sources))),
        tuple(map(dagster_name, node.outputs)),
        bool(node.spec.after),
    )


def _invocation(op: OpDefinition, alias: str, node: PlannedNode) -> NodeInvocation:
    return NodeInvocation(op.name, alias=alias, retry_policy=_retry_policy(node.spec.retry))


def _dependencies(plan: GraphPlan, node: PlannedNode) -> Dependencies:
    dependencies: Dependencies = {dagster_name(port): _output(source) for port, source in node.sources.items()}
    if node.spec.after:
        earlier = [plan.nodes[dagster_name(name)] for name in node.spec.after]
        ends = [PortRef(upstream.spec.id, next(iter(upstream.outputs))) for upstream in earlier]
        dependencies[AFTER_INPUT] = MultiDependencyDefinition([_output(end) for end in ends])
    return dependencies


def _fan_in(plan: GraphPlan) -> Dependencies:
    if not plan.output_sources:
        return {}
    return {FAN_IN: MultiDependencyDefinition([_output(source) for source in plan.output_sources])}


def _output(source: PortRef) -> DependencyDefinition:
    return DependencyDefinition(dagster_name(source.node), dagster_name(source.port))


def _retry_policy(retry: RetrySpec | None) -> RetryPolicy | None:
    if retry is None or retry.max_attempts == 1:
        return None
    return RetryPolicy(
        max_retries=retry.max_attempts - 1,
        delay=retry.delay,
        backoff=_BACKOFF[retry.backoff],
        jitter=_JITTER[retry.jitter],
    )
