"""Runs a graph in this process, with a journal in memory and a fake of what nodes meet."""

from __future__ import annotations

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.language.library import Calls, GraphLibrary
from graph_compiler.language.spec import GraphSpec
from graph_compiler.nodes.node_type import NodeTypes
from graph_compiler.running.graph_node import with_calls
from graph_compiler.running.plan import plan_graph
from graph_compiler.testing.memory import MemoryRuntime
from graph_engine.engine import Engine
from graph_engine.journal.outcome import Ended
from graph_engine.scope.index import PlanIndex
from graph_engine.testing.jumping_clock import JumpingClock
from graph_engine.testing.memory_journal import MemoryJournal


def run_in_memory(
    spec: GraphSpec,
    runtime: MemoryRuntime,
    *,
    node_types: NodeTypes | None = None,
    library: GraphLibrary | None = None,
) -> Ended:
    """How a run of the valid graph ends; no time passes where it waits. Raises `CompilationError`."""
    types = with_calls(builtin_node_types() if node_types is None else node_types, Calls(library))
    index = PlanIndex(plan_graph(spec, types), types)
    outcome = Engine(index, runtime, MemoryJournal(), JumpingClock()).run()
    assert isinstance(outcome, Ended), "nothing is suspended without a limit"
    return outcome
