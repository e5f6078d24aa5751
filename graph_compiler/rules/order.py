"""Nodes that wait for one another."""

from __future__ import annotations

from collections.abc import Iterator

from graph_compiler.drafts.draft import Draft
from graph_compiler.language.issues import Finding
from graph_compiler.values.topology import cycles, shortest_cycle


def waiting_in_a_circle(draft: Draft) -> Iterator[Finding]:
    """One finding for each knot of nodes, with all of them named and a way around."""
    places = dict(reversed(draft.ids))
    links = [(edge.spec.source.node, edge.spec.target.node) for edge in draft.edges]
    links += [(earlier, node.spec.id) for node in draft.nodes for earlier in node.spec.after]
    links = [link for link in links if link[0] in places and link[1] in places]
    nodes = list(dict.fromkeys(identifier for identifier, _ in draft.ids))
    for knot in cycles(nodes, links):
        way = " -> ".join(shortest_cycle(knot[0], knot, links))
        message = f"nodes wait for one another: {', '.join(knot)} ({way})"
        yield Finding("cycle", places[knot[0]], message)
