"""The whole of validation: everything at once, one mistake hiding no other, nothing raised."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_compiler.checking.validation import check
from graph_compiler.language.spec import MAX_NODES, GraphSpec
from tests.unit.graph_compiler.documents import document, edge, found, node
from tests.unit.graph_compiler.language.test_loading import JSON_VALUES


def test_valid_document_has_spec_canonical_text_and_hash() -> None:
    checked = check(json.dumps(document()))
    assert checked.issues == ()
    assert checked.document is not None
    assert GraphSpec.model_validate_json(checked.document) == checked.spec
    assert check(checked.document) == checked


def test_issues_of_all_families_are_reported_together_in_the_order_of_the_text() -> None:
    text = """\
spec_version: 1
nam: test
nodes:
  - { id: a, type: trasform, config: {} }
  - { id: b, type: transform, config: { value: "{{ inputs.x + foo }}", extra: 1 }, timeout: soon }
  - { id: b, type: delay, config: { duration: 1s } }
edges:
  - { from: a.value, to: b.y }
  - { from: c.value, to: b.x }
outputs: { Bad: "{{ nodes.b.vlaue }}" }
params: { type: list }
"""
    assert [(issue.code, issue.path, issue.line, issue.column) for issue in check(text).issues] == [
        ("missing_key", "", 1, 1),
        ("unknown_key", "/nam", 2, 1),
        ("unknown_node_type", "/nodes/0/type", 4, 20),
        ("unknown_name", "/nodes/1/config/value", 5, 63),
        ("unknown_key", "/nodes/1/config/extra", 5, 72),
        ("bad_duration", "/nodes/1/timeout", 5, 93),
        ("duplicate_id", "/nodes/2/id", 6, 11),
        ("unused_port", "/edges/0/to", 8, 26),
        ("unknown_node", "/edges/1/from", 9, 13),
        ("bad_name", "/outputs/Bad", 10, 12),
        ("unknown_port", "/outputs/Bad", 10, 21),
        ("bad_schema", "/params/type", 11, 17),
    ]


def test_node_with_a_wrong_shape_still_counts_as_a_node() -> None:
    parts = {
        "nodes": [{"id": "a", "config": {"value": 1}}, node("b", "{{ inputs.x }}")],
        "edges": [edge("a.value", "b.x")],
        "outputs": {"o": "{{ nodes.a.value }}"},
    }
    assert found(**parts) == [("missing_key", "/nodes/0")]


def test_wrong_key_does_not_hide_what_the_rest_of_the_node_says() -> None:
    assert found(nodes=[node("a"), node("b", "{{ inputs.x }}", retry={"max_attempts": 0})]) == [
        ("unknown_input", "/nodes/1/config/value"),
        ("bad_value", "/nodes/1/retry/max_attempts"),
    ]


def test_findings_of_triggers_of_two_types_keep_their_places() -> None:
    webhook = {"id": "w", "type": "webhook", "verify": {"scheme": "gitlob", "secret": "s"}}
    triggers = [{"id": "s", "type": "schedule", "cron": "* * * *"}, webhook]
    assert found(triggers=triggers) == [
        ("bad_cron", "/triggers/0/cron"),
        ("bad_value", "/triggers/1/verify/scheme"),
    ]


@pytest.mark.parametrize("key", ["when", "foreach"])
def test_condition_or_list_that_is_plain_text_is_no_template(key: str) -> None:
    assert found(nodes=[node("a", **{key: "yes"})]) == [("bad_value", f"/nodes/0/{key}")]


def test_what_may_be_repeated_is_said_by_nodes_and_not_by_calls() -> None:
    call = {"id": "a", "type": "graph", "config": {"graph": "other"}, "repeatable": True}
    assert found(nodes=[call]) == [("bad_value", "/nodes/0/repeatable")]
    assert found(nodes=[node("a", repeatable=False)]) == []


def test_condition_sees_inputs_but_no_item() -> None:
    parts = {
        "nodes": [node("a", [1]), node("b", "{{ item }}", foreach="{{ inputs.rows }}", when="{{ item > 1 }}")],
        "edges": [edge("a.value", "b.rows")],
    }
    assert found(**parts) == [("unknown_name", "/nodes/1/when")]


def test_only_what_runs_last_sees_how_the_run_ended() -> None:
    nodes = [node("a", "{{ run.status }}"), node("b", "{{ run.status }} {{ run.error.kind }}", **{"finally": True})]
    assert found(nodes=nodes) == [("unknown_name", "/nodes/0/config/value")]


def test_error_ports_are_there_when_asked_for() -> None:
    route = node("a", on_error="route")
    collect = node("b", "{{ item }}", foreach=[1], on_item_error="collect")
    outputs = {"x": "{{ nodes.a.error }}", "y": "{{ nodes.b.errors }}", "z": "{{ nodes.b.error }}"}
    assert found(nodes=[route, collect], outputs=outputs) == [("unknown_port", "/outputs/z")]


def test_value_that_could_not_be_read_is_not_also_of_a_wrong_type() -> None:
    issues = check(
        '{"spec_version": 1, "name": NaN, "nodes": [{"id": "a", "type": "delay", "config": {"duration": NaN}}]}'
    )
    assert [issue.code for issue in issues.issues] == ["bad_number", "bad_number"]


def test_more_nodes_than_the_limit_are_an_issue() -> None:
    nodes = [node(f"n{index}") for index in range(MAX_NODES + 1)]
    assert found(nodes=nodes) == [("too_large", "/nodes")]


@pytest.mark.parametrize("text", ["", "null", "3", '"x"', "[]"])
def test_what_is_no_object_is_one_issue(text: str) -> None:
    assert [issue.code for issue in check(text).issues] == ["wrong_type"]


def test_only_given_node_types_are_known() -> None:
    issues = check(json.dumps(document()), node_types={}).issues
    assert [(issue.code, issue.path) for issue in issues] == [("unknown_node_type", "/nodes/0/type")]


BASE = document(
    nodes=[node("a"), {"id": "b", "type": "python", "config": {"code": "def main(x): return x"}}],
    edges=[edge("a.value", "b.x")],
    outputs={"o": "{{ nodes.b.result }}"},
    params={"properties": {"p": {"type": "string"}}},
    triggers=[{"id": "t", "type": "webhook", "verify": {"scheme": "github", "secret": "s"}, "params": {"p": "x"}}],
    settings={"timeout": "1h", "resources": {"cpu": "1"}},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in parts for place in places(part, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return value | {path[0]: replaced(value[path[0]], path[1:], new)}
    return [replaced(item, path[1:], new) if index == path[0] else item for index, item in enumerate(value)]


@given(st.sampled_from(places(BASE)), JSON_VALUES)
def test_no_value_anywhere_makes_validation_raise_and_every_issue_has_a_place(
    path: tuple[Any, ...], value: Any
) -> None:
    checked = check(json.dumps(replaced(BASE, path, value)), syntax="json")
    assert (checked.spec is None) == bool(checked.issues)
    assert all(issue.line and issue.column for issue in checked.issues)


def test_base_of_the_mutations_is_valid() -> None:
    assert check(json.dumps(BASE)).issues == ()
