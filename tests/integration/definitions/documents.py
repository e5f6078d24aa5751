"""Graph documents of these tests."""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]


def document(name: str, *nodes: Node, edges: tuple[str, ...] = (), **parts: Any) -> dict[str, Any]:
    """A document; an edge is written `a.value -> b.x`."""
    pairs = [edge.split(" -> ") for edge in edges]
    return {
        "spec_version": 1,
        "name": name,
        "nodes": list(nodes),
        "edges": [{"from": source, "to": target} for source, target in pairs],
        **parts,
    }


def transform(id: str, value: Any, **parts: Any) -> Node:
    return {"id": id, "type": "transform", "config": {"value": value}, **parts}


def delay(id: str, duration: str, **parts: Any) -> Node:
    return {"id": id, "type": "delay", "config": {"duration": duration}, **parts}


def python(id: str, code: str, args: Any = None, **parts: Any) -> Node:
    return {"id": id, "type": "python", "config": {"code": code, "args": args or {}}, **parts}


def versioned(name: str, version: int) -> dict[str, Any]:
    """A graph whose outputs tell the version that ran."""
    return document(name, transform("say", version), outputs={"version": "{{ nodes.say.value }}"})


def waiting(name: str = "waiting") -> dict[str, Any]:
    """A graph whose run lasts until it is canceled or killed."""
    return document(name, delay("nap", "10m"), outputs={"done": True})


def napping(name: str = "napping") -> dict[str, Any]:
    """A graph whose run lasts `params.seconds`."""
    params = {"type": "object", "properties": {"seconds": {"type": "number", "default": 1}}}
    return document(name, delay("nap", "{{ params.seconds }}"), params=params, outputs={"done": True})
