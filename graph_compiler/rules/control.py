"""Control flow: conditions and lists that are templates, keys that mean nothing, and what runs last."""

from __future__ import annotations

from collections.abc import Iterator

from graph_compiler.drafts.draft import Draft, DraftNode
from graph_compiler.language.issues import Issue
from graph_compiler.language.library import GRAPH_TYPE
from graph_compiler.nodes.node_ports import ERROR_PORT, ERRORS_PORT
from graph_compiler.templates.templates import analyse, is_template, templates_in

_BESIDE_REPEAT = {
    "foreach": "put `foreach` on a `graph` node, and `repeat` on a node of the graph that it calls",
    "cache": "a result that is taken from the cache does not change from turn to turn",
    "finally": "what runs last has a minute, and is executed in each retry",
}


def conditions(draft: Draft) -> Iterator[Issue]:
    """`when`, `foreach` and `repeat.until` that are text and no template."""
    for node in draft.nodes:
        until = None if node.spec.repeat is None else node.spec.repeat.until
        for key, value in (("when", node.spec.when), ("foreach", node.spec.foreach), ("repeat/until", until)):
            if isinstance(value, str) and not is_template(value):
                yield Issue("bad_value", f"{node.path}/{key}", f"`{key.replace('/', '.')}` is text, but no template")


def foreach_keys(draft: Draft) -> Iterator[Issue]:
    """Keys that mean nothing without `foreach`, types that cannot have it, and ports it would hide."""
    for node in draft.nodes:
        if node.spec.foreach is None:
            for key in ("max_parallel", "on_item_error"):
                if getattr(node.spec, key) is not None:
                    message = f"`{key}` means nothing without `foreach`"
                    yield Issue("needs_foreach", f"{node.path}/{key}", message, at_key=True)
        elif node.node_type is not None and not node.node_type.takes_foreach:
            message = f"a `{node.spec.type}` node cannot run once per item"
            yield Issue("foreach_not_allowed", f"{node.path}/foreach", message, at_key=True)


def repeats(draft: Draft) -> Iterator[Issue]:
    """`repeat` beside keys that would leave open what is done once and what each time."""
    for node in draft.nodes:
        values = {"foreach": node.spec.foreach is not None, "cache": node.spec.cache, "finally": node.spec.finally_}
        for key, hint in _BESIDE_REPEAT.items():
            if node.spec.repeat is not None and values[key]:
                message = f"`repeat` and `{key}` cannot stand on one node"
                yield Issue("repeat_not_allowed", f"{node.path}/repeat", message, hint, at_key=True)


def repeatable_calls(draft: Draft) -> Iterator[Issue]:
    """`repeatable` on a call, which is never cut itself: the nodes of the called graph say what may be repeated."""
    for node in draft.nodes:
        if node.spec.repeatable is not None and node.spec.type == GRAPH_TYPE:
            message = "`repeatable` means nothing on a call: the nodes of the called graph say for themselves"
            yield Issue("bad_value", f"{node.path}/repeatable", message, at_key=True)


def hidden_ports(draft: Draft) -> Iterator[Issue]:
    """Outputs of a type that have the name of a port that `on_error` or `on_item_error` adds."""
    for node in draft.nodes:
        names = [port.name for port in node.ports.outputs] if node.ports else []
        for port, key in ((ERROR_PORT, "on_error"), (ERRORS_PORT, "on_item_error")):
            if names.count(port.name) > 1:
                message = f"the type `{node.spec.type}` has an output `{port.name}` of its own"
                yield Issue("bad_value", f"{node.path}/{key}", message)


def last_nodes(draft: Draft) -> Iterator[Issue]:
    """Edges, `after` and outputs by which something earlier would use a node that runs last."""
    nodes = draft.by_id()
    for edge in draft.edges:
        if _is_last(nodes, edge.spec.source.node) and not _is_last(nodes, edge.spec.target.node):
            yield _finding(edge.spec.source.node, f"{edge.path}/from")
    for node in draft.nodes:
        for index, name in enumerate(node.spec.after):
            if _is_last(nodes, name) and not node.spec.finally_:
                yield _finding(name, f"{node.path}/after/{index}")
    for path, text in templates_in(dict(draft.outputs), "/outputs"):
        for reference in analyse(text).references:
            if reference.root == "nodes" and len(reference.path) > 1 and _is_last(nodes, reference.path[1]):
                yield _finding(reference.path[1], path)


def _is_last(nodes: dict[str, DraftNode], name: str) -> bool:
    node = nodes.get(name)
    return node is not None and node.spec.finally_


def _finding(name: str, path: str) -> Issue:
    return Issue("finally_order", path, f"`{name}` runs last (`finally`), after what would need it here")
