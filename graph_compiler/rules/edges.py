"""Edges between ports that exist and fit, inputs that are used, and inputs that are needed."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from graph_compiler.drafts.draft import Draft, DraftNode
from graph_compiler.language.issues import Finding, did_you_mean
from graph_compiler.language.spec import PortRef
from graph_compiler.nodes.node_type import Port, Ports
from graph_compiler.rules.names import inputs_used
from graph_compiler.values.port_types import fits


def unknown_nodes(draft: Draft) -> Iterator[Finding]:
    """Edges and `after` that name no node."""
    ids = {identifier for identifier, _ in draft.ids}
    named = [
        (name, f"{edge.path}/{end}")
        for edge in draft.edges
        for end, name in (("from", edge.spec.source.node), ("to", edge.spec.target.node))
    ]
    named += [
        (name, f"{node.path}/after/{index}") for node in draft.nodes for index, name in enumerate(node.spec.after)
    ]
    for name, path in named:
        if name not in ids:
            yield Finding("unknown_node", path, f"there is no node `{name}`", did_you_mean(name, ids))


def repeated_after(draft: Draft) -> Iterator[Finding]:
    """Nodes that `after` names twice."""
    for node in draft.nodes:
        for index, name in enumerate(node.spec.after):
            if name in node.spec.after[:index]:
                yield Finding("bad_value", f"{node.path}/after/{index}", f"`{name}` is named twice")


def ports(draft: Draft) -> Iterator[Finding]:
    """Edges from and to ports that do not exist, are not used, are taken, or have types that cannot fit."""
    nodes = draft.by_id()
    taken: dict[PortRef, str] = {}
    for edge in draft.edges:
        output = yield from _output(edge.spec.source, nodes, f"{edge.path}/from")
        target, path = edge.spec.target, f"{edge.path}/to"
        if target in taken:
            yield Finding("port_taken", path, f"the port `{target}` is fed already by {taken[target]}")
            continue
        taken[target] = edge.path
        known = yield from _input(target, nodes, path)
        if output and known and not fits(output.type, known.type):
            message = f"`{edge.spec.from_}` gives {output.type}, `{edge.spec.to}` takes {known.type}"
            yield Finding("port_mismatch", edge.path, message)


def missing_inputs(draft: Draft) -> Iterator[Finding]:
    """Inputs that a node cannot do without and no edge feeds."""
    fed = {edge.spec.target for edge in draft.edges}
    fed_nodes = {port.node for port in fed}
    for node in draft.nodes:
        if node.node_type is not None and node.node_type.gathers and node.spec.id not in fed_nodes:
            message = f"the node `{node.spec.id}` takes what its inputs bring, and no edge feeds any"
            yield Finding("missing_input", node.path, message, f"add edges to `{node.spec.id}.<any name>`")
        for port in node.ports.inputs if node.ports else ():
            if port.required and PortRef(node.spec.id, port.name) not in fed:
                message = f"the node `{node.spec.id}` needs the input `{port.name}`, and no edge feeds it"
                yield Finding("missing_input", node.path, message, f"add an edge to `{node.spec.id}.{port.name}`")


def _output(source: PortRef, nodes: dict[str, DraftNode], path: str) -> Generator[Finding, None, Port | None]:
    declared = _ports(nodes.get(source.node))
    if declared is None:
        return None
    port = _named(declared.outputs, source.port)
    if port is None:
        known = [output.name for output in declared.outputs]
        message = f"the node `{source.node}` has no output `{source.port}`"
        yield Finding("unknown_port", path, message, did_you_mean(source.port, known))
    return port


def _input(target: PortRef, nodes: dict[str, DraftNode], path: str) -> Generator[Finding, None, Port | None]:
    node = nodes.get(target.node)
    declared = _ports(node)
    if node is None or declared is None:
        return None
    port = _named(declared.inputs, target.port)
    used = inputs_used(node)
    if port or declared.takes_all or used is None or (declared.open and target.port in used):
        return port
    known = {declared_port.name for declared_port in declared.inputs} | used
    hint = did_you_mean(target.port, known)
    if declared.open:
        message = f"nothing in the node `{target.node}` uses the input `{target.port}`"
        yield Finding("unused_port", path, message, hint)
    else:
        yield Finding("unknown_port", path, f"the node `{target.node}` has no input `{target.port}`", hint)
    return None


def _ports(node: DraftNode | None) -> Ports | None:
    return node.ports if node else None


def _named(declared: tuple[Port, ...], name: str) -> Port | None:
    return next((port for port in declared if port.name == name), None)
