"""Templates that are templates, and the names in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graph_compiler.drafts.draft import Draft, DraftNode
from graph_compiler.language.issues import Issue, did_you_mean
from graph_compiler.language.params import declared_names
from graph_compiler.language.spec import PortRef
from graph_compiler.nodes.node_ports import ITEM_NAMES, UNTIL, inputs_named, templates_of
from graph_compiler.templates.templates import Analysis, Reference, analyse, template_words, templates_in
from graph_compiler.triggers.triggers import CONTEXT as TRIGGER_NAMES
from graph_compiler.triggers.triggers import SCHEDULE_CONTEXT

NODE_NAMES = ("inputs", "params", "run", "trigger")
TURN_NAMES = ("iteration", "last")
"""Of a node with `repeat`."""
OUTPUT_NAMES = ("nodes", "params", "run", "trigger")
RUN_NAMES = ("graph", "id", "owner", "version")
FINAL_RUN_NAMES = ("error", "status")


def inputs_used(node: DraftNode) -> set[str] | None:
    """The inputs that the node's templates name; None if only a run can tell."""
    if node.node_type is None:
        return set()
    return inputs_named(text for _, text, _ in templates_of(node.spec, node.node_type))


def names_in_nodes(draft: Draft) -> Iterator[Issue]:
    """Defects and unknown names in nodes' configs."""
    fed: dict[str, set[str]] = {}
    for edge in draft.edges:
        fed.setdefault(edge.spec.target.node, set()).add(edge.spec.target.port)
    for node in draft.nodes:
        for place, text, is_per_item in templates_of(node.spec, node.node_type) if node.node_type else ():
            path, analysis = node.path + place, analyse(text)
            names = _names_for(node, place, is_per_item)
            yield from _defects(analysis, path)
            for reference in analysis.references:
                yield from _common(reference, path, names, draft.params, _run_names(node))
                if place == UNTIL:
                    yield from _given_port(reference, path, node)
                yield from _unfed_input(reference, path, node, fed.get(node.spec.id, set()))


def _names_for(node: DraftNode, place: str, is_per_item: bool) -> tuple[str, ...]:
    names: tuple[str, ...] = NODE_NAMES
    if node.spec.repeat is not None and place.startswith(("/config/", UNTIL)):
        names += TURN_NAMES if place != UNTIL else (*TURN_NAMES, "outputs")
    if node.node_type is not None and node.node_type.secrets and place.startswith("/config/"):
        names += ("secrets",)
    return (*names, *ITEM_NAMES) if is_per_item and node.spec.foreach is not None else names


def _run_names(node: DraftNode) -> tuple[str, ...]:
    return (*RUN_NAMES, *FINAL_RUN_NAMES) if node.spec.finally_ else RUN_NAMES


def names_in_outputs(draft: Draft) -> Iterator[Issue]:
    """Defects and unknown names in the graph's outputs."""
    nodes = draft.by_id()
    ids = {identifier for identifier, _ in draft.ids}
    for path, analysis in _analyses(draft.outputs, "/outputs"):
        yield from _defects(analysis, path)
        for reference in analysis.references:
            yield from _common(reference, path, OUTPUT_NAMES, draft.params)
            if reference.root == "nodes":
                yield from _node_port(reference, path, nodes, ids)


def names_in_triggers(draft: Draft) -> Iterator[Issue]:
    """Defects and unknown names in triggers' params."""
    for trigger in draft.triggers:
        for path, text in templates_in(dict(trigger.spec.params), f"{trigger.path}/params"):
            yield from names_in_text(text, path, TRIGGER_NAMES)


def names_in_text(text: str, path: str, names: Iterable[str]) -> Iterator[Issue]:
    """Defects of one template, and names in it that are not among `names`."""
    analysis = analyse(text)
    yield from _defects(analysis, path)
    for reference in analysis.references:
        yield from _common(reference, path, names, None)


def names_in_schedules(draft: Draft) -> Iterator[Issue]:
    """Defects and unknown names in the params of timers, whose context is known to the last name."""
    for trigger in draft.schedules:
        for path, analysis in _analyses(trigger.spec.params, f"{trigger.path}/params"):
            yield from _defects(analysis, path)
            for reference in analysis.references:
                yield from _common(reference, path, SCHEDULE_CONTEXT, draft.params)
                known = SCHEDULE_CONTEXT.get(reference.root)
                if known is not None and len(reference.path) > 1 and reference.path[1] not in known:
                    message = f"a {reference.root} of a schedule has no `{reference.path[1]}`"
                    hint = did_you_mean(reference.path[1], known)
                    yield Issue("unknown_name", path, message, hint, inside=(reference.line, reference.column))


def _analyses(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, Analysis]]:
    return ((place, analyse(text)) for place, text in templates_in(dict(value), path))


def _defects(analysis: Analysis, path: str) -> Iterator[Issue]:
    for defect in analysis.defects:
        hint = did_you_mean(defect.word, template_words()) if defect.word else None
        yield Issue("bad_template", path, defect.message, hint, inside=(defect.line, defect.column))


def _common(
    reference: Reference,
    path: str,
    names: Iterable[str],
    params: Mapping[str, Any] | None,
    run_names: tuple[str, ...] = RUN_NAMES,
) -> Iterator[Issue]:
    place = (reference.line, reference.column)
    if reference.root == "secrets" and "secrets" not in names:
        yield Issue("secret_not_allowed", path, "secrets cannot be used here", inside=place)
    elif reference.root not in names:
        hint = did_you_mean(reference.root, names)
        yield Issue("unknown_name", path, f"there is no `{reference.root}` here", hint, inside=place)
    elif reference.root == "run" and len(reference.path) > 1 and reference.path[1] not in run_names:
        hint = did_you_mean(reference.path[1], run_names)
        yield Issue("unknown_name", path, f"a run has no `{reference.path[1]}`", hint, inside=place)
    elif reference.root == "params" and len(reference.path) > 1 and params is not None:
        declared = declared_names(params)
        if declared is not None and reference.path[1] not in declared:
            message = f"the param `{reference.path[1]}` is not declared"
            yield Issue("unknown_param", path, message, did_you_mean(reference.path[1], declared), inside=place)


def _unfed_input(reference: Reference, path: str, node: DraftNode, fed: set[str]) -> Iterator[Issue]:
    if reference.root == "inputs" and len(reference.path) > 1 and reference.path[1] not in fed:
        port = f"{node.spec.id}.{reference.path[1]}"
        hint = did_you_mean(reference.path[1], fed) or f"add an edge to `{port}`"
        message = f"no edge feeds the input `{reference.path[1]}`"
        yield Issue("unknown_input", path, message, hint, inside=(reference.line, reference.column))


def _given_port(reference: Reference, path: str, node: DraftNode) -> Iterator[Issue]:
    """`outputs.name` in the condition of a `repeat`."""
    known = [port.name for port in node.ports.outputs] if node.ports else None
    if reference.root == "outputs" and len(reference.path) > 1 and known is not None and reference.path[1] not in known:
        message = f"the node `{node.spec.id}` has no output `{reference.path[1]}`"
        hint = did_you_mean(reference.path[1], known)
        yield Issue("unknown_port", path, message, hint, inside=(reference.line, reference.column))


def _node_port(reference: Reference, path: str, nodes: Mapping[str, DraftNode], ids: set[str]) -> Iterator[Issue]:
    place = (reference.line, reference.column)
    if len(reference.path) < 3:
        message = "outputs name a node's port in full, as in `nodes.big.value`"
        yield Issue("unknown_name", path, message, inside=place)
        return
    source = PortRef(*reference.path[1:3])
    if source.node not in ids:
        message = f"there is no node `{source.node}`"
        yield Issue("unknown_node", path, message, did_you_mean(source.node, ids), inside=place)
        return
    node = nodes.get(source.node)
    known = [port.name for port in node.ports.outputs] if node and node.ports else None
    if known is not None and source.port not in known:
        message = f"the node `{source.node}` has no output `{source.port}`"
        yield Issue("unknown_port", path, message, did_you_mean(source.port, known), inside=place)
