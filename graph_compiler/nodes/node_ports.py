"""The ports a node has in a graph: those of its type, changed by `foreach` and `on_error`; and its templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from graph_compiler.language.spec import NodeSpec
from graph_compiler.nodes.node_type import AnyNodeType, Port, Ports
from graph_compiler.templates.templates import analyse, templates_in

ERROR_PORT = Port("error", "object", "`{kind, message, attempts, node}` of the error, with `on_error: route`.")
ERRORS_PORT = Port("errors", "array", "An error per failed item, with `on_item_error: collect`.")
ITEM_NAMES = ("item", "index")
UNTIL = "/repeat/until"
"""Where the condition of a `repeat` stands, below the node."""


def ports_of(spec: NodeSpec, declared: Ports) -> Ports:
    """The ports of a node whose type declares these."""
    inputs, outputs = declared.inputs, declared.outputs
    if spec.foreach is not None:
        inputs = tuple(port for port in inputs if port.name not in ITEM_NAMES)
        outputs = tuple(replace(port, type="array") for port in outputs)
        if spec.on_item_error == "collect":
            outputs += (ERRORS_PORT,)
    if spec.on_error == "route":
        outputs += (ERROR_PORT,)
    return replace(declared, inputs=inputs, outputs=outputs)


def templates_of(spec: NodeSpec, node_type: AnyNodeType) -> Iterator[tuple[str, str, bool]]:
    """Pointer (below the node) and text of every template, and whether it is rendered for each item."""
    templated = node_type.config_model.templated_fields()
    for key, value in spec.config.items():
        if key in templated:
            yield from ((path, text, True) for path, text in templates_in(value, f"/config/{key}"))
    for key, value in (("when", spec.when), ("foreach", spec.foreach)):
        yield from ((path, text, False) for path, text in templates_in(value, f"/{key}"))
    if spec.repeat is not None:
        yield from ((path, text, False) for path, text in templates_in(spec.repeat.until, UNTIL))
    if spec.cache is not None:
        yield from ((path, text, True) for path, text in templates_in(spec.cache.key, "/cache/key"))


def inputs_named(texts: Iterator[str]) -> set[str] | None:
    """The inputs that the templates name; None if only a run can tell."""
    named: set[str] = set()
    for text in texts:
        for reference in analyse(text).references:
            if reference.root == "inputs":
                if len(reference.path) == 1:
                    return None
                named.add(reference.path[1])
    return named


def inputs_of_items(spec: NodeSpec, node_type: AnyNodeType, declared: Ports, sources: Mapping[str, Any]) -> list[str]:
    """The connected inputs that each item of a `foreach` needs, not only the template that makes the items."""
    named = inputs_named(text for _, text, is_per_item in templates_of(spec, node_type) if is_per_item)
    if named is None or declared.takes_all:
        return list(sources)
    ports = {port.name for port in declared.inputs}
    return [name for name in sources if name in named or name in ports]
