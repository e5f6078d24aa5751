"""Node types that exist and configs they accept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from graph_compiler.drafts.draft import Draft, DraftNode
from graph_compiler.drafts.partial import defects_known, ports_known, read_partly
from graph_compiler.drafts.shape import findings_of
from graph_compiler.language.issues import Issue, did_you_mean
from graph_compiler.nodes.node_ports import ports_of
from graph_compiler.nodes.node_type import NodeTypes


def resolve_nodes(draft: Draft, node_types: NodeTypes) -> list[Issue]:
    """Give each node of the draft its type, config and ports; the findings say where that fails."""
    return [finding for node in draft.nodes for finding in _resolve(node, node_types)]


def _resolve(node: DraftNode, node_types: NodeTypes) -> Iterator[Issue]:
    node_type = node_types.get(node.spec.type)
    if node_type is None:
        message = f"there is no node type `{node.spec.type}`"
        yield Issue("unknown_node_type", f"{node.path}/type", message, did_you_mean(node.spec.type, node_types))
        return
    node.node_type = node_type
    path = f"{node.path}/config"
    try:
        node.config = node_type.read_config(node.spec.config, rendered=False)
    except ValidationError as error:
        yield from findings_of(error, node.spec.config, path, node_type.config_model)
        partial = read_partly(node_type, node.spec.config, error)
        declared = ports_known(node_type, partial)
        defects: Iterable[Issue] = defects_known(node_type, partial)
    else:
        declared, defects = node_type.ports(node.config), node_type.defects(node.config)
    node.ports = ports_of(node.spec, declared) if declared is not None and declared.is_known else None
    for defect in defects:
        yield defect.within(path)
