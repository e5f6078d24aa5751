"""Tests of a graph: params that it takes, stand-ins that fit their nodes, and expectations that can come true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from graph_compiler.drafts.draft import Draft, DraftNode
from graph_compiler.drafts.shape import findings_of
from graph_compiler.language.graph_test import STAND_IN_ERROR, StandInError
from graph_compiler.language.issues import Issue, did_you_mean
from graph_compiler.language.library import GRAPH_TYPE, CalledGraph
from graph_compiler.language.params import applied, schema_defects
from graph_compiler.language.spec import GraphSpec
from graph_compiler.nodes.node_ports import ERROR_PORT, ERRORS_PORT
from graph_compiler.nodes.node_type import Port
from graph_compiler.running.graph_node import Graph, GraphConfig
from graph_compiler.values.errors import BadValue
from graph_compiler.values.pointers import pointer_token
from graph_compiler.values.port_types import conforms, type_of
from graph_compiler.values.values import as_json


def test_params(draft: Draft) -> Iterator[Issue]:
    """Params of a test that the schema does not declare, requires, or cannot take."""
    schema = draft.params
    if schema is None or any(schema_defects(schema)):
        return
    for test in draft.tests:
        for issue in applied(schema, test.spec.params)[1]:
            at_key = issue.code == "unknown_param"
            yield Issue(issue.code, test.path + issue.path, issue.message, issue.hint, at_key=at_key)


def stand_ins(draft: Draft) -> Iterator[Issue]:
    """Stand-ins of nodes that are not there, or with other ports or values than their nodes have."""
    for test in draft.tests:
        for path, values in test.spec.nodes.items():
            place = f"{test.path}/nodes/{pointer_token(path)}"
            unknown = _unknown_node(draft, path, place, at_key=True)
            if unknown is not None:
                yield unknown
            else:
                yield from _misfits(draft.by_id().get(path), values, place)


def expectations(draft: Draft) -> Iterator[Issue]:
    """Expected outputs that the graph does not have, and nodes that are not there."""
    for test in draft.tests:
        place = f"{test.path}/expect"
        for name in test.spec.expect.outputs:
            if name not in draft.outputs:
                path, hint = f"{place}/outputs/{name}", did_you_mean(name, draft.outputs)
                yield Issue("unknown_output", path, f"the graph has no output `{name}`", hint, at_key=True)
        named = [(f"{place}/events/{row}/node", event.node) for row, event in enumerate(test.spec.expect.events)]
        if test.spec.expect.error is not None:
            named.append((f"{place}/error/node", test.spec.expect.error.node))
        for path, node in named:
            unknown = None if node is None else _unknown_node(draft, node, path)
            if unknown is not None:
                yield unknown


def _unknown_node(draft: Draft, path: str, place: str, *, at_key: bool = False) -> Issue | None:
    """What is wrong with the way to a node, `call/inner`; nothing where a graph on it is not known here."""
    first, *inner = path.split("/")
    if first not in {name for name, _ in draft.ids}:
        hint = did_you_mean(first, {name for name, _ in draft.ids})
        return Issue("unknown_node", place, f"there is no node `{first}`", hint, at_key=at_key)
    node = draft.by_id().get(first)
    if not inner or node is None or node.node_type is None:
        return None
    if not isinstance(node.node_type, Graph):
        return Issue("unknown_node", place, f"`{first}` calls no graph, so it has no nodes", at_key=at_key)
    spec = _callee(node.node_type, node.config)
    for number, name in enumerate(inner):
        if spec is None:
            return None
        found = {each.id: each for each in spec.nodes}.get(name)
        if found is None:
            hint = did_you_mean(name, {each.id for each in spec.nodes})
            message = f"the graph `{spec.name}` has no node `{name}`"
            return Issue("unknown_node", place, message, hint, at_key=at_key)
        if number + 1 < len(inner) and found.type != GRAPH_TYPE:
            message = f"`{name}` of the graph `{spec.name}` calls no graph"
            return Issue("unknown_node", place, message, at_key=at_key)
        spec = _callee(node.node_type, found.config) if found.type == GRAPH_TYPE else None
    return None


def _callee(node_type: Graph, config: Any) -> GraphSpec | None:
    try:
        read = config if isinstance(config, GraphConfig) else node_type.read_config(config or {}, rendered=False)
    except ValidationError:
        return None
    callee = node_type.callee(read) if isinstance(read, GraphConfig) else None
    return callee.spec if isinstance(callee, CalledGraph) else None


def _misfits(node: DraftNode | None, values: Mapping[str, Any], place: str) -> Iterator[Issue]:
    if node is None or node.ports is None or not node.ports.is_known or node.node_type is None:
        return
    ports = _given_ports(node)
    if STAND_IN_ERROR in values and STAND_IN_ERROR not in ports:
        yield from _misfit_error(values, place)
        return
    for name in sorted(values.keys() - ports.keys()):
        message = f"`{node.spec.id}` has no output `{name}`"
        yield Issue("unknown_port", f"{place}/{pointer_token(name)}", message, did_you_mean(name, ports), at_key=True)
    optional = set(ports) if node.node_type.chooses else {ERRORS_PORT.name}
    for name in ports.keys() - values.keys() - optional:
        yield Issue("bad_stand_in", place, f"the output `{name}` of `{node.spec.id}` is missing", at_key=True)
    for name in ports.keys() & values.keys():
        at = f"{place}/{pointer_token(name)}"
        try:
            value = as_json(values[name], name)
        except BadValue as error:
            yield Issue("bad_stand_in", at, error.message)
            continue
        if not conforms(value, ports[name].type):
            yield Issue("bad_stand_in", at, f"`{node.spec.id}.{name}` is {ports[name].type}, not {type_of(value)}")


def _given_ports(node: DraftNode) -> dict[str, Port]:
    """The outputs that a stand-in gives: all but the one that `on_error: route` adds."""
    assert node.ports is not None
    return {port.name: port for port in node.ports.outputs if port is not ERROR_PORT}


def _misfit_error(values: Mapping[str, Any], place: str) -> Iterator[Issue]:
    path = f"{place}/{STAND_IN_ERROR}"
    if len(values) > 1:
        yield Issue("bad_stand_in", path, "a node that fails gives no outputs", at_key=True)
    try:
        StandInError.model_validate(values[STAND_IN_ERROR])
    except ValidationError as error:
        yield from findings_of(error, values[STAND_IN_ERROR], path, StandInError)
