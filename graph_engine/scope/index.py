"""What a plan's nodes wait for and who waits for them, by number; made once per plan."""

from __future__ import annotations

from collections.abc import Mapping

from graph_compiler.nodes.asking import ADDRESS
from graph_compiler.nodes.node_type import NodeTypes
from graph_compiler.running.naming import dagster_name
from graph_compiler.running.plan import GraphPlan, PlannedNode, plan_graph
from graph_compiler.values.topology import topological_order
from graph_engine.journal.place import Place


class PlanIndex:
    """A plan as the engine goes through it, in time linear in its nodes and edges.

    `node_types` are those the plan was made with: graphs that it calls are planned with them when they are first
    called. A worker keeps it for all runs of the graph's version.
    """

    def __init__(self, plan: GraphPlan, node_types: NodeTypes) -> None:
        self.plan = plan
        self.nodes = _ordered(plan)
        self.numbers: Mapping[str, int] = {node.spec.id: number for number, node in enumerate(self.nodes)}
        self.needs = [self._needs(node) for node in self.nodes]
        """By number, the ids of the nodes it waits for; of one that runs last only those that run last, too."""
        self.early = [frozenset[int]() for _ in self.nodes]
        """By number, those of its dependents that need nothing of it but the address at which it waits."""
        self.counts = [len(needs) for needs in self.needs]
        self.dependents: list[list[int]] = [[] for _ in self.nodes]
        for number, needs in enumerate(self.needs):
            for name in needs:
                self.dependents[self.numbers[name]].append(number)
                if self._needs_address_only(number, name):
                    self.early[self.numbers[name]] |= {number}
        self.ordinary = [number for number, node in enumerate(self.nodes) if not node.spec.finally_]
        self.last = [number for number, node in enumerate(self.nodes) if node.spec.finally_]
        self.output_needs = frozenset(source.node for source in plan.output_sources)
        self.places: dict[str, list[Place]] = {}
        """Of graphs that are at the same place in each run, by that place's key."""
        self._node_types = node_types
        self._called: dict[int, PlanIndex] = {}

    def called(self, number: int) -> PlanIndex:
        """The graph that the node of this number calls."""
        if number not in self._called:
            self._called[number] = PlanIndex(self._plan_of(self.nodes[number]), self._node_types)
        return self._called[number]

    def _plan_of(self, node: PlannedNode) -> GraphPlan:
        if node.called is not None:
            return node.called
        called = node.node_type.called(node.node_type.read_config(node.spec.config, rendered=False))
        assert called is not None
        return plan_graph(called.spec, self._node_types, is_called=True)

    def is_last(self, name: str) -> bool:
        """Whether the node of this id runs last."""
        return self.nodes[self.numbers[name]].spec.finally_

    def _needs_address_only(self, number: int, name: str) -> bool:
        node = self.nodes[number]
        ports = {source.port for source in node.sources.values() if source.node == name}
        asks = self.nodes[self.numbers[name]].node_type.asks
        return asks and ports == {ADDRESS} and name not in node.spec.after and not node.spec.finally_

    def _needs(self, node: PlannedNode) -> frozenset[str]:
        earlier = _earlier(node)
        return frozenset(name for name in earlier if self.is_last(name)) if node.spec.finally_ else earlier


def _earlier(node: PlannedNode) -> frozenset[str]:
    return frozenset((*(source.node for source in node.sources.values()), *node.spec.after))


def _ordered(plan: GraphPlan) -> list[PlannedNode]:
    links = [(dagster_name(name), alias) for alias, node in plan.nodes.items() for name in _earlier(node)]
    return [plan.nodes[alias] for alias in topological_order(sorted(plan.nodes), links)]
