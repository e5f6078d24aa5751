"""Executes a small graph in memory, so that what Dagster imports and caches at first use is there before the fork."""

from __future__ import annotations

from typing import Any, ClassVar

from dagster import DagsterInstance, ResourceDefinition, mem_io_manager

from definitions.execution.executors import thread_executor
from graph_compiler.jobs.compilation import compile_job
from graph_compiler.language.spec import GraphSpec

_GRAPH = {
    "spec_version": 1,
    "name": "warm-up",
    "nodes": [
        {"id": "one", "type": "transform", "config": {"value": "{{ 1 + 1 }}"}},
        {"id": "two", "type": "transform", "config": {"value": "{{ inputs.x }}"}},
    ],
    "edges": [{"from": "one.value", "to": "two.x"}],
    "outputs": {"two": "{{ nodes.two.value }}"},
}


class _NoRun:
    """What the graph above asks of a runtime."""

    params: ClassVar[dict[str, Any]] = {}
    trigger: ClassVar[dict[str, Any]] = {}
    run: ClassVar[dict[str, Any]] = {}

    def masked(self, value: Any) -> Any:
        return value


def warm_up() -> None:
    """Compile and execute one graph; leaves neither a thread nor a connection."""
    job = compile_job(
        GraphSpec.model_validate(_GRAPH),
        name="warm_up",
        runtime=ResourceDefinition.hardcoded_resource(_NoRun()),
        executor=thread_executor,
        io_manager=mem_io_manager,
    )
    with DagsterInstance.ephemeral() as instance:
        job.execute_in_process(instance=instance)
