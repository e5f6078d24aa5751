"""Documents for property tests: graphs of all constructs that call graphs like themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from graph_compiler.checking.validation import check
from graph_compiler.nodes.node_type import NodeTypes
from graph_compiler.values.canonical import canonical_json, content_hash

VALUE = "{{ inputs | length }}"
NOW = {"delay": 0}
TELLING_TIMES = ("wait", "approval")
"""Types whose outputs differ from worker to worker."""


class Library:
    """Graphs that others call, each in version 1."""

    is_complete = True

    def __init__(self, documents: Mapping[str, Mapping[str, Any]], node_types: NodeTypes | None = None) -> None:
        self._documents: dict[str, str] = {}
        for name, document in documents.items():
            checked = check(json.dumps(document), syntax="json", library=self, node_types=node_types)
            assert checked.document is not None, (document, checked.issues)
            self._documents[name] = checked.document

    def latest(self, name: str) -> int | None:
        return 1 if name in self._documents else None

    def document(self, name: str, version: int, sha256: str | None) -> str | None:
        found = self._documents.get(name)
        return found if found is None or sha256 in (None, content_hash(found)) else None


def _node_types(callable_names: list[str]) -> list[str]:
    return [
        "transform",
        "python",
        "fail",
        "switch",
        "merge",
        "delay",
        "wait",
        "approval",
        *(["graph", "graph"] if callable_names else []),
    ]


def _config(type: str, draw: Any, called: list[str], is_each: bool) -> dict[str, Any]:
    match type:
        case "python":
            return {"code": "def main(**kwargs):\n    return len(kwargs)"}
        case "fail":
            return {"message": "no", "retryable": True}
        case "switch":
            return {"cases": [{"port": "value", "when": draw(st.booleans())}]}
        case "merge":
            return {"mode": "object"}
        case "delay":
            return {"duration": draw(st.sampled_from([0, 1, 20]))}
        case "wait":
            waits: list[dict[str, Any]] = [{"duration": 20}, {"duration": 1}, {"event": {}, "timeout": 30}]
            return dict(draw(st.sampled_from(waits)))
        case "approval":
            return {"message": "Go on?", "timeout": 30}
        case "graph":
            return {"graph": draw(st.sampled_from(called))}
    return {"value": draw(st.sampled_from(["{{ [item, inputs] }}", "{{ 4 // item }}"])) if is_each else VALUE}


def _port(type: str) -> str:
    return {"python": "result", "graph": "out", "wait": "expired", "approval": "expired"}.get(type, "value")


@st.composite
def graphs(draw: st.DrawFn, name: str, called: list[str], most: int = 5) -> dict[str, Any]:
    """A valid document whose outputs do not depend on which of several failures comes first."""
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, str]] = []
    for number in range(draw(st.integers(1, most))):
        node = draw(_nodes(f"n{number}", called, is_root=name == "root"))
        earlier = [other for other in nodes if other.get("finally", False) <= node.get("finally", False)]
        if node["type"] == "merge" and all(other["type"] in TELLING_TIMES for other in earlier):
            node |= {"type": "transform", "config": {"value": VALUE}}
        _connect(draw, node, earlier, edges)
        nodes.append(node)
    ordinary = [node for node in nodes if not node.get("finally")]
    outputs = {"out": [_shown(node) for node in ordinary]}
    return {"spec_version": 1, "name": name, "nodes": nodes, "edges": edges, "outputs": outputs}


def _shown(node: dict[str, Any]) -> str:
    """What the node gave; of one that tells a time, whether it did."""
    given = f"nodes.{node['id']}.{_port(node['type'])}"
    return f"{{{{ {given} is defined }}}}" if node["type"] in TELLING_TIMES else f"{{{{ {given} | default(none) }}}}"


@st.composite
def _nodes(draw: st.DrawFn, id: str, called: list[str], is_root: bool) -> dict[str, Any]:
    type = draw(st.sampled_from(_node_types(called)))
    is_each = type not in ("switch", "merge", "wait", "approval") and draw(st.integers(0, 3)) == 0
    is_repeated = not is_each and type not in ("fail", "switch", "merge") and draw(st.integers(0, 3)) == 0
    config = _config(type, draw, called, is_each)
    node: dict[str, Any] = {"id": id, "type": type, "config": config}
    if is_each:
        items = [1, 2, 4] if not is_root else draw(st.sampled_from([[], [1], [2, 0, 1], [1, 2, 3, 4, 5]]))
        node |= {"foreach": items, "max_parallel": draw(st.integers(1, 3))}
        if draw(st.booleans()):
            node["on_item_error"] = "collect"
    if is_repeated:
        node["repeat"] = _repeat(draw)
        if type == "transform":
            config["value"] = "{{ [iteration, last.value | length if last else inputs | length] }}"
    if draw(st.integers(0, 5)) == 0:
        node["when"] = draw(st.sampled_from([False, "{{ inputs | length < 2 }}"]))
    if draw(st.integers(0, 2)) == 0:
        node["retry"] = {"max_attempts": draw(st.integers(1, 3)), "delay": draw(st.sampled_from([0, 1, 30]))}
    node["on_error"] = draw(st.sampled_from(["fail", "continue", "route"]))
    if draw(st.integers(0, 5)) == 0 and not is_repeated:
        node["finally"] = True
    if type == "python":
        node["repeatable"] = True
    return node


def _repeat(draw: Any) -> dict[str, Any]:
    until = draw(st.sampled_from(["{{ true }}", "{{ iteration == 2 }}", "{{ outputs | length > iteration + 1 }}"]))
    repeat = {"until": until, "delay": draw(st.sampled_from([0, 1, 30])), "max": draw(st.integers(1, 4))}
    return {**repeat, **({"timeout": 40} if draw(st.integers(0, 3)) == 0 else {})}


def _connect(draw: Any, node: dict[str, Any], earlier: list[dict[str, Any]], edges: list[dict[str, str]]) -> None:
    """Edges to ports that the node takes, and `after`."""
    ports = {
        "transform": ["a", "b"],
        "python": ["a", "b"],
        "switch": ["value"],
        "merge": ["a", "b"],
        "delay": ["value"],
    }
    takes = ports.get(node["type"], [])
    if node["type"] == "transform" and node["config"]["value"] == "{{ 4 // item }}":
        takes = []
    sources = [other for other in earlier if other["type"] not in TELLING_TIMES]
    for port in takes:
        if sources and ((node["type"], port) == ("merge", "a") or draw(st.booleans())):
            source = draw(st.sampled_from(sources))
            can_tell = source["on_error"] == "route" and node["type"] in ("merge", "python")
            out = "error" if can_tell and draw(st.booleans()) else _port(source["type"])
            edges.append({"from": f"{source['id']}.{out}", "to": f"{node['id']}.{port}"})
    if earlier and draw(st.integers(0, 3)) == 0:
        node["after"] = [draw(st.sampled_from(earlier))["id"]]


@st.composite
def shelves(draw: st.DrawFn) -> tuple[dict[str, Any], Library]:
    """A graph, and those that it calls, two deep."""
    deep = draw(graphs("deep", [], most=3))
    called = draw(graphs("called", ["deep"], most=3))
    root = draw(graphs("root", ["deep", "called"]))
    return json.loads(canonical_json(root)), Library({"deep": deep, "called": called})
