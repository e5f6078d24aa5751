"""Calls of other graphs: that there is such a graph, that it does not lead back, and that its params fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from graph_compiler.drafts.draft import Draft, DraftNode
from graph_compiler.language.issues import Finding
from graph_compiler.language.library import MAX_DEPTH, CalledGraph, Callee, NotCallable
from graph_compiler.language.params import schema_of
from graph_compiler.language.spec import MAX_NODES, PortRef
from graph_compiler.rules.params import given_params
from graph_compiler.running.graph_node import Graph, GraphConfig
from graph_compiler.templates.templates import is_template
from graph_compiler.values.pointers import pointer_token
from graph_compiler.values.port_types import PortType, fits

NOTE = "note"
"""In the place of an issue's code."""
_LONE = re.compile(r"\{\{\s*(inputs|params)\.([a-z][a-z0-9_]*)\s*\}\}")
_EXPRESSION = re.compile(r"\{\{[^{}'\"]*\}\}")
_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


def callees(draft: Draft) -> Iterator[tuple[DraftNode, GraphConfig, Callee]]:
    """The nodes that call a graph, as far as they are understood."""
    for node in draft.nodes:
        if isinstance(node.node_type, Graph) and isinstance(node.config, GraphConfig):
            yield node, node.config, node.node_type.callee(node.config)


def unknown_graphs(draft: Draft) -> Iterator[Finding]:
    """Calls of graphs or versions that are not there."""
    for node, _, callee in callees(draft):
        if isinstance(callee, NotCallable) and callee.code is not None:
            yield Finding(callee.code, f"{node.path}/config/{callee.key}", callee.message, callee.hint)


def unchecked_calls(draft: Draft) -> Iterator[Finding]:
    """Calls of which nobody here can tell whether they are right: no issues, but to be told."""
    for node, _, callee in callees(draft):
        if isinstance(callee, NotCallable) and callee.code is None:
            yield Finding(NOTE, f"{node.path}/config/{callee.key}", callee.message, callee.hint)


def extent(draft: Draft) -> Iterator[Finding]:
    """Calls that lead back to the document's own graph, that go too deep, or bring in too many nodes."""
    total = len(draft.ids)
    for node, config, callee in callees(draft):
        path = f"{node.path}/config/graph"
        if config.graph == draft.name:
            yield Finding("recursive_graph", path, f"the graph `{draft.name}` calls itself")
        if config.graph == draft.name or not isinstance(callee, CalledGraph) or not isinstance(node.node_type, Graph):
            continue
        reach = node.node_type.calls.extent(callee)
        if draft.name in reach.names:
            message = f"the graph `{draft.name}` calls `{config.graph}`, which leads back to it"
            yield Finding("recursive_graph", path, message)
        elif reach.depth >= MAX_DEPTH:
            message = f"the graph `{config.graph}` calls {reach.depth} levels deep; {MAX_DEPTH} are the limit"
            yield Finding("call_limit", path, message)
        else:
            total += reach.nodes
            if total > MAX_NODES:
                message = f"with `{config.graph}` there are {total} nodes; {MAX_NODES} are the limit"
                yield Finding("call_limit", path, message)
                return


def call_params(draft: Draft) -> Iterator[Finding]:
    """Params of a call that the called graph does not declare, lacks, or cannot take, templates by their type."""
    for node, config, callee in callees(draft):
        given = config.params
        if not isinstance(callee, CalledGraph) or not isinstance(given, dict):
            continue
        schema = callee.spec.params
        yield from given_params(schema, given, f"{node.path}/config", f"the node `{node.spec.id}`")
        for name, value in given.items():
            types = _types_of(schema_of(schema, name))
            found = _template_types(draft, node, value) if types and is_template(value) else ()
            if found and not any(fits(one, other) for one in found for other in types):
                message = f"{value} gives {' or '.join(found)}, the param `{name}` takes {' or '.join(types)}"
                yield Finding("bad_param", f"{node.path}/config/params/{pointer_token(name)}", message)


def _template_types(draft: Draft, node: DraftNode, text: str) -> tuple[PortType, ...]:
    """The types of what the template can give; empty where that is not known."""
    lone = _LONE.fullmatch(text)
    if lone is None:
        # More than one expression: text, if what is around them is no template either.
        rest = _EXPRESSION.sub("", text)
        return ("string",) if rest != text and rest and not set("{}'\"") & set(rest) else ()
    root, name = lone.groups()
    if root == "params":
        return _types_of(schema_of(draft.params or {}, name))
    for edge in draft.edges:
        if edge.spec.target == PortRef(node.spec.id, name):
            source = draft.by_id().get(edge.spec.source.node)
            outputs = source.ports.outputs if source is not None and source.ports is not None else ()
            return tuple(port.type for port in outputs if port.name == edge.spec.source.port)
    return ()


def _types_of(schema: Mapping[str, Any]) -> tuple[PortType, ...]:
    kind = schema.get("type")
    names = kind if isinstance(kind, list) else [kind]
    return tuple(name for name in names if name in _TYPES)


def pinned(data: dict[str, Any], draft: Draft) -> dict[str, Any]:
    """The document with the number and the SHA-256 of each version that it calls."""
    nodes = list(data["nodes"])
    for node, _, callee in callees(draft):
        if isinstance(callee, CalledGraph):
            row = int(node.path.rpartition("/")[2])
            pin = {"version": callee.version, "sha256": callee.sha256}
            nodes[row] = {**nodes[row], "config": {**nodes[row]["config"], **pin}}
    return {**data, "nodes": nodes}
