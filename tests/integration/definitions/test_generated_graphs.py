"""Any graph of conditions, branches and loops runs each node as often as it must, in an order its edges allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.definitions.site import Site

KINDS = (
    "plain",
    "when_false",
    "when_true",
    "switch",
    "merge",
    "foreach",
    "fails_on",
    "call",
    "call_items",
    "call_fails",
)
CALLED: dict[str, Any] = {
    "spec_version": 1,
    "name": "called",
    "params": {"type": "object", "properties": {"x": {"type": "integer"}}},
    "nodes": [
        {"id": "first", "type": "transform", "config": {"value": "{{ 1 // params.x }}"}},
        {"id": "aside", "type": "transform", "config": {"value": 1}},
        {"id": "second", "type": "transform", "after": ["aside"], "config": {"value": "{{ inputs.x }}"}},
    ],
    "edges": [{"from": "first.value", "to": "second.x"}],
    "outputs": {"value": "{{ nodes.second.value }}"},
}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Nodes `n0, n1, ...`; each edge leads to a later node."""
    nodes, edges = [], []
    for index in range(draw(st.integers(1, 8))):
        before = draw(st.lists(st.integers(0, index - 1), max_size=3, unique=True)) if index else []
        kind = draw(st.sampled_from(KINDS))
        if kind == "merge" and not before:
            kind = "plain"
        after = draw(st.lists(st.integers(0, index - 1), max_size=2, unique=True)) if index else []
        nodes.append(_node(index, kind, before, draw(st.integers(0, 3))) | {"after": [f"n{other}" for other in after]})
        for other in before:
            port = draw(st.sampled_from(("taken", "default"))) if nodes[other]["type"] == "switch" else "value"
            edges.append({"from": f"n{other}.{port}", "to": f"n{index}.i{other}"})
    return {"spec_version": 1, "name": "generated", "nodes": nodes, "edges": edges}


def _node(index: int, kind: str, before: list[int], items: int) -> dict[str, Any]:
    used = "{{ [" + ", ".join(f"inputs.i{other}" for other in before) + "] | length }}"
    node: dict[str, Any] = {"id": f"n{index}", "type": "transform", "config": {"value": used}}
    if kind == "switch":
        used = used.replace("{{", "{{ 0 <=")
        return node | {"type": "switch", "config": {"cases": [{"port": "taken", "when": used}]}}
    if kind == "merge":
        return node | {"type": "merge", "config": {"mode": "list"}}
    if kind == "foreach":
        return node | {"foreach": list(range(items)), "max_parallel": 2}
    if kind.startswith("call"):
        x = used.replace("{{", "{{ 0 *" if kind == "call_fails" else "{{ 1 + 0 *")
        node |= {"type": "graph", "config": {"graph": "called", "params": {"x": x}}}
        more: dict[str, dict[str, Any]] = {
            "call_items": {"foreach": list(range(items))},
            "call_fails": {"on_error": "continue"},
        }
        return node | more.get(kind, {})
    if kind == "fails_on":
        return node | {"config": {"value": used.replace("{{", "{{ 1 // 0 *")}, "on_error": "continue"}
    return node if kind == "plain" else node | {"when": kind == "when_true"}


def ends(graph: Mapping[str, Any]) -> dict[str, str]:
    """How each node must end, by the rules of the language."""
    ended: dict[str, str] = {}
    for node in graph["nodes"]:
        sources = [edge["from"].split(".") for edge in graph["edges"] if edge["to"].startswith(node["id"] + ".")]
        there = [ended[name] == "succeeded" and port != "default" for name, port in sources]
        missing = not any(there) if node["type"] == "merge" else not all(there)
        if (
            (sources and missing)
            or any(ended[name] == "skipped" for name in node["after"])
            or node.get("when") is False
        ):
            ended[node["id"]] = "skipped"
        else:
            ended[node["id"]] = "failed" if "on_error" in node else "succeeded"
    return ended


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graphs())
def test_every_node_ends_once_as_it_must_and_after_all_it_waits_for(site: Site, graph: dict[str, Any]) -> None:
    site.save_graph(CALLED)
    run_id = site.execute(graph)
    assert (site.run(run_id).error, site.run(run_id).status) == (None, "SUCCESS")
    events = site.events(run_id)
    finals = [event for event in events if event.type in ("node.succeeded", "node.failed", "node.skipped")]
    expected = ends(graph)
    assert {event.node: event.type for event in finals if event.item is None and "/" not in (event.node or "")} == {
        name: f"node.{end}" for name, end in expected.items()
    }
    starts = [(event.node, event.item) for event in events if event.type == "node.started"]
    assert set(Counter((event.node, event.item) for event in finals).values()) == {1}
    assert set(Counter(starts).values()) <= {1}
    ran = {(event.node, event.item) for event in finals if event.type != "node.skipped"}
    assert ran <= set(starts) <= {(event.node, event.item) for event in finals}
    for node in graph["nodes"]:
        if "foreach" in node and expected[node["id"]] == "succeeded":
            items = sorted(e.item for e in finals if e.node == node["id"] and e.item is not None)
            assert items == node["foreach"]
    ended = {event.node: event.seq for event in finals if event.item is None}
    started = {event.node: event.seq for event in events if event.type == "node.started" and event.item is None}
    links = [(edge["from"].split(".")[0], edge["to"].split(".")[0]) for edge in graph["edges"]]
    links += [(earlier, node["id"]) for node in graph["nodes"] for earlier in node["after"]]
    for path in {(name or "").rpartition("/")[0] for name, _ in starts} - {""}:
        links += [(f"{path}/first", f"{path}/second"), (f"{path}/aside", f"{path}/second")]
    assert [link for link in links if link[1] in started and ended[link[0]] > started[link[1]]] == []
