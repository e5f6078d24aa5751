"""Node types that exist and configs they accept."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from graph_compiler.drafts.draft import Draft, DraftNode
from graph_compiler.drafts.shape import findings_of
from graph_compiler.language.issues import Finding, did_you_mean
from graph_compiler.nodes.node_ports import ports_of
from graph_compiler.nodes.node_type import ConfigDefect, NodeTypes


def resolve_nodes(draft: Draft, node_types: NodeTypes) -> list[Finding]:
    """Give each node of the draft its type, config and ports; the findings say where that fails."""
    return [finding for node in draft.nodes for finding in _resolve(node, node_types)]


def _resolve(node: DraftNode, node_types: NodeTypes) -> Iterator[Finding]:
    node_type = node_types.get(node.spec.type)
    if node_type is None:
        message = f"there is no node type `{node.spec.type}`"
        yield Finding("unknown_node_type", f"{node.path}/type", message, did_you_mean(node.spec.type, node_types))
        return
    node.node_type = node_type
    path = f"{node.path}/config"
    try:
        node.config = node_type.read_config(node.spec.config, rendered=False)
    except ValidationError as error:
        yield from findings_of(error, node.spec.config, path, node_type.config_model)
        return
    declared = node_type.ports(node.config)
    node.ports = ports_of(node.spec, declared) if declared.is_known else None
    for defect in node_type.defects(node.config):
        yield _finding(defect, path)


def _finding(defect: ConfigDefect, path: str) -> Finding:
    inside = (defect.line, defect.column or 1) if defect.line is not None else None
    return Finding(defect.code, path + defect.path, defect.message, defect.hint, inside=inside)
