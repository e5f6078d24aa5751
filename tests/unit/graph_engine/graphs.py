"""Short ways to write the documents of these tests."""

from __future__ import annotations

from typing import Any

from graph_compiler.nodes.node_type import NodeTypes
from tests.unit.graph_engine.documents import Library
from tests.unit.graph_engine.node_types import types_with


def node(id: str, type: str = "transform", **keys: Any) -> dict[str, Any]:
    """A node; a `transform` gives 1, keys of its config are `config`."""
    config = keys.pop("config", {"value": 1} if type == "transform" else {})
    return {"id": id, "type": type, "config": config, **keys}


def last(id: str, value: Any, **keys: Any) -> dict[str, Any]:
    return {"id": id, "type": "transform", "config": {"value": value}, "finally": True, **keys}


def call(id: str, graph: str = "called", **keys: Any) -> dict[str, Any]:
    return {"id": id, "type": "graph", "config": {"graph": graph}, **keys}


def graph(*nodes: dict[str, Any], edges: tuple[str, ...] = (), **parts: Any) -> dict[str, Any]:
    """A document; an edge is written `a.value -> b.x`."""
    pairs = [edge.split(" -> ") for edge in edges]
    links = [{"from": source, "to": target} for source, target in pairs]
    return {"spec_version": 1, "name": "test", "nodes": list(nodes), "edges": links, **parts}


def called_with(node_types: NodeTypes, *nodes: dict[str, Any], **parts: Any) -> Library:
    """A library of one graph, `called`, of nodes of these types."""
    return Library({"called": {**graph(*nodes, **parts), "name": "called"}}, node_types)


def called(*nodes: dict[str, Any], **parts: Any) -> Library:
    """A library of one graph, `called`."""
    return called_with(types_with(), *nodes, **parts)
