"""A document that tries one node of a graph: the node as it is, given inputs in the place of what feeds it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from graph_compiler.language.spec import GraphSpec, NodeSpec
from graph_compiler.nodes.node_ports import ERROR_PORT, ports_of
from graph_compiler.nodes.node_type import NodeTypes
from graph_compiler.values.pointers import pointer_token

INPUTS = "try_inputs"
"""The param of a trial that has the inputs by port."""
RETENTION = "1d"
"""How long the runs of trials are kept, unless the graph says otherwise."""
_LEFT_OUT = frozenset({"after", "finally", "on_error", "retry", "cache", "repeatable"})
"""What a node has of the graph around it, and what would keep it from being executed, once and visibly."""
_ISSUE = re.compile(r"/(?P<part>nodes|edges)/(?P<row>\d+)(?P<rest>.*)")


def trial_of(document: Mapping[str, Any], spec: GraphSpec, node: NodeSpec, inputs: Sequence[str]) -> dict[str, Any]:
    """The document to run; what it is given are the graph's params and, in `try_inputs`, an input for each port."""
    written = next(each for each in document["nodes"] if each["id"] == node.id)
    lead = "given" if node.id.startswith("sample") else "sample"
    tried = {key: value for key, value in written.items() if key not in _LEFT_OUT}
    samples = [
        {"id": f"{lead}_{row}", "type": "transform", "config": {"value": "{{ params.try_inputs['" + port + "'] }}"}}
        for row, port in enumerate(inputs)
    ]
    settings = {key: value for key, value in document.get("settings", {}).items() if key != "max_concurrent_runs"}
    return {
        "spec_version": 1,
        "name": f"{spec.name[:59]}-try",
        "params": {"type": "object", "additionalProperties": True},
        "nodes": [tried, *samples],
        "edges": [{"from": f"{lead}_{row}.value", "to": f"{node.id}.{port}"} for row, port in enumerate(inputs)],
        "settings": {"retention": RETENTION, **settings},
    }


def with_outputs(trial: dict[str, Any], node: NodeSpec, node_types: NodeTypes) -> dict[str, Any]:
    """The trial with the node's outputs as its own; those that the node does not give are null."""
    node_type = node_types[node.type]
    kept = node.model_copy(update={"on_error": "fail"})
    ports = ports_of(kept, node_type.ports(node_type.read_config(node.config, rendered=False))).outputs
    outputs = {
        port.name: f"{{{{ nodes.{node.id}.{port.name} | default(none) }}}}" for port in ports if port is not ERROR_PORT
    }
    return {**trial, "outputs": outputs}


def place_of(path: str, inputs: Sequence[str]) -> str:
    """Where an issue of a trial stands for who tries: at an input, or at the node."""
    found = _ISSUE.match(path)
    if found is None:
        return "/node"
    row = int(found["row"])
    if found["part"] == "edges":
        return f"/inputs/{pointer_token(inputs[row])}"
    return f"/node{found['rest']}" if row == 0 else f"/inputs/{pointer_token(inputs[row - 1])}"
