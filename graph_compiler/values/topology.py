"""The shape of a graph: its order and its cycles. The only module that knows networkx."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx

Link = tuple[str, str]


def topological_order(nodes: Sequence[str], links: Iterable[Link]) -> list[str]:
    """The nodes, each after all it depends on, earlier ones in the document first; the links have no cycle."""
    from networkx import lexicographical_topological_sort

    place = {node: index for index, node in enumerate(nodes)}
    return list(lexicographical_topological_sort(_digraph(nodes, links), key=place.__getitem__))


def cycles(nodes: Sequence[str], links: Iterable[Link]) -> list[tuple[str, ...]]:
    """Each knot of nodes that wait for one another, all its nodes in the document's order."""
    from networkx import strongly_connected_components

    graph = _digraph(nodes, links)
    place = {node: index for index, node in enumerate(nodes)}
    knots = (
        tuple(sorted(knot, key=place.__getitem__))
        for knot in strongly_connected_components(graph)
        if len(knot) > 1 or any(graph.has_edge(node, node) for node in knot)
    )
    return sorted(knots, key=lambda knot: place[knot[0]])


def shortest_cycle(start: str, knot: Iterable[str], links: Iterable[Link]) -> list[str]:
    """A shortest way from `start` back to it, both ends included, inside a knot of `cycles`."""
    from networkx import shortest_path

    members = set(knot)
    graph = _digraph(sorted(members), [link for link in links if members.issuperset(link)])
    ways = (shortest_path(graph, after, start) for after in graph.successors(start))
    return [start, *min(ways, key=len)]


def _digraph(nodes: Sequence[str], links: Iterable[Link]) -> networkx.DiGraph[str]:
    from networkx import DiGraph

    graph: networkx.DiGraph[str] = DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(links)
    return graph
