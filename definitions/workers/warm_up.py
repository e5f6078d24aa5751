"""Executes a small graph in memory, so that what is imported and cached at first use is there before the fork."""

from __future__ import annotations

from typing import Any, ClassVar

from definitions.execution.system_clock import SystemClock
from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.language.spec import GraphSpec
from graph_compiler.running.plan import plan_graph
from graph_engine.engine import Engine
from graph_engine.scope.index import PlanIndex
from graph_engine.testing.memory_journal import MemoryJournal

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
    """Plan and execute one graph; leaves neither a thread nor a connection."""
    types = builtin_node_types()
    index = PlanIndex(plan_graph(GraphSpec.model_validate(_GRAPH), types), types)
    runtime: Any = _NoRun()
    Engine(index, runtime, MemoryJournal(), SystemClock()).run()
