"""Order and cycles, against definitions that need no networkx."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from graph_compiler.values.topology import cycles, shortest_cycle, topological_order

NODES = [f"n{index}" for index in range(8)]
LINKS = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=16)


def reachable(start: str, links: list[tuple[str, str]]) -> set[str]:
    """What can be reached from a node by one link or more."""
    found: set[str] = set()
    pending = [start]
    while pending:
        node = pending.pop()
        after = {target for source, target in links if source == node} - found
        found |= after
        pending.extend(after)
    return found


@given(LINKS)
def test_nodes_on_cycles_are_exactly_those_that_reach_themselves(links: list[tuple[str, str]]) -> None:
    knots = cycles(NODES, links)
    named = [node for knot in knots for node in knot]
    assert sorted(named) == [node for node in NODES if node in reachable(node, links)]
    for knot in knots:
        assert list(knot) == sorted(knot)
        way = shortest_cycle(knot[0], knot, links)
        assert way[0] == way[-1] == knot[0]
        assert all(step in links for step in pairwise(way))


@given(LINKS, st.permutations(NODES))
def test_order_has_every_node_once_and_respects_every_link(links: list[tuple[str, str]], nodes: list[str]) -> None:
    rank = {node: index for index, node in enumerate(nodes)}
    forward = [(a, b) for a, b in links if rank[a] < rank[b]]
    order = topological_order(NODES, forward)
    assert sorted(order) == NODES
    place = {node: index for index, node in enumerate(order)}
    assert all(place[a] < place[b] for a, b in forward)


def test_order_prefers_the_document() -> None:
    links = [("n3", "n0"), ("n1", "n2"), ("n2", "n4")]
    assert topological_order(NODES[:5], links) == ["n1", "n2", "n3", "n0", "n4"]
