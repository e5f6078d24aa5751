"""A validated spec to a Dagster job: node to op invocation, edge to dependency; the same spec, the same job."""

from __future__ import annotations

from collections.abc import Mapping

from dagster import JobDefinition, mem_io_manager

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.jobs.execution_elsewhere import engine_executor, launch_params
from graph_compiler.jobs.graph_parts import GraphParts, PlannedGraph
from graph_compiler.jobs.ops import outputs_op
from graph_compiler.jobs.tags import run_tags
from graph_compiler.language.library import Calls, GraphLibrary
from graph_compiler.language.spec import GraphSpec
from graph_compiler.nodes.node_type import NodeTypes
from graph_compiler.running.graph_node import with_calls
from graph_compiler.running.plan import plan_graph


def compile_job(
    spec: GraphSpec,
    *,
    name: str,
    node_types: NodeTypes | None = None,
    tags: Mapping[str, str] | None = None,
    library: GraphLibrary | None = None,
) -> JobDefinition:
    """The Dagster job of a spec that has no issues: what Dagster shows, starts and stops, and the engine executes.

    `tags` are added to those of the settings. `library` has the graphs it calls.
    Raises `CompilationError` if the spec does not fit `node_types` or calls what is not there.
    """
    types = builtin_node_types() if node_types is None else node_types
    plan = plan_graph(spec, with_calls(types, Calls(library)))
    parts = GraphParts(plan)
    if plan.outputs:
        parts.add_outputs(outputs_op(bool(plan.output_sources)), {})
    graph = PlannedGraph(
        name=name,
        description=spec.description,
        node_defs=list(parts.definitions.values()),
        dependencies=parts.invocations,
    )
    return graph.to_job(
        name=name,
        resource_defs={"runtime": launch_params(spec.params), "io_manager": mem_io_manager},
        executor_def=engine_executor,
        tags={**run_tags(spec.settings), **(tags or {})},
    )
