"""Params: defaults, what fits, and schemas that are none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from graph_compiler.language.params import apply, declared_names, required_names, schema_defects
from tests.unit.graph_compiler.documents import spec
from tests.unit.graph_compiler.language.test_loading import JSON_VALUES

PUSH = {
    "type": "object",
    "properties": {
        "repository": {"type": "string"},
        "commits": {"type": "array", "items": {"properties": {"size": {"default": 1}}}},
        "limit": {"type": "integer", "default": 20, "minimum": 1},
    },
    "required": ["repository"],
}


def applied(schema: dict[str, Any], params: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    filled, issues = apply(spec(params=schema), params)
    return filled, [(issue.code, issue.path) for issue in issues]


def test_defaults_are_filled_in_and_what_is_given_stays() -> None:
    assert applied(PUSH, {"repository": "r", "commits": [{}, {"size": 2}]}) == (
        {"repository": "r", "commits": [{"size": 1}, {"size": 2}], "limit": 20},
        [],
    )
    assert applied(PUSH, {"repository": "r", "limit": 3}) == ({"repository": "r", "limit": 3}, [])


def test_defaults_are_nested_and_follow_references() -> None:
    schema = {
        "$defs": {"window": {"properties": {"size": {"default": 5}, "unit": {"default": "day"}}}},
        "properties": {"window": {"$ref": "#/$defs/window", "default": {"size": 1}}},
        "allOf": [{"properties": {"window": {}, "more": {"default": []}}}],
    }
    assert applied(schema, {}) == ({"window": {"size": 1, "unit": "day"}, "more": []}, [])


def test_default_is_not_shared_between_runs() -> None:
    schema = {"properties": {"rows": {"type": "array", "default": []}}}
    first, _ = apply(spec(params=schema), {})
    first["rows"].append(1)
    assert apply(spec(params=schema), {}) == ({"rows": []}, [])


def test_every_issue_is_found_at_once() -> None:
    params = {"limt": 3, "commits": [{"size": 1}, 5], "limit": "many"}
    _, issues = applied(
        {**PUSH, "properties": {**PUSH["properties"], "commits": {"items": {"type": "object"}}}}, params
    )  # type: ignore[dict-item]  # PUSH is a literal of mixed values
    assert issues == [
        ("unknown_param", "/params/limt"),
        ("missing_param", "/params/repository"),
        ("bad_param", "/params/commits/1"),
        ("bad_param", "/params/limit"),
    ]


def test_graph_without_params_takes_none() -> None:
    assert applied({}, {}) == ({}, [])
    assert applied({}, {"a": 1})[1] == [("unknown_param", "/params/a")]


@pytest.mark.parametrize("opening", [{"additionalProperties": True}, {"patternProperties": {"^x": {}}}, {"allOf": []}])
def test_schema_may_admit_other_params(opening: dict[str, Any]) -> None:
    assert declared_names({"properties": {"a": {}}, **opening}) is None


def test_schema_that_forbids_others_reports_them_once() -> None:
    assert applied({"additionalProperties": False}, {"a": 1})[1] == [("unknown_param", "/params/a")]


def test_required_without_default_must_be_given() -> None:
    assert required_names({"properties": {"a": {}, "b": {"default": 1}}, "required": ["a", "b"]}) == {"a"}


def test_missing_param_inside_a_param_is_named_in_full() -> None:
    schema = {"properties": {"who": {"required": ["name"]}}}
    assert applied(schema, {"who": {}})[1] == [("missing_param", "/params/who/name")]


@pytest.mark.parametrize("value", [float("nan"), {1}, 2**70])
def test_what_is_no_json_is_an_issue(value: Any) -> None:
    assert applied({"properties": {"a": {}}}, {"a": value})[1] == [("bad_param", "/params")]


@given(JSON_VALUES)
def test_any_value_of_a_typed_param_is_accepted_or_an_issue(value: Any) -> None:
    filled, issues = applied({"properties": {"a": {"type": "string"}}}, {"a": value})
    assert filled == {"a": value}
    assert issues == ([] if isinstance(value, str) else [("bad_param", "/params/a")])


def test_schema_that_refers_to_itself_without_end_is_an_issue() -> None:
    assert applied({"$ref": "#"}, {})[1] == [("bad_param", "/params")]


def test_defaults_without_end_are_an_issue() -> None:
    schema = {"$defs": {"n": {"properties": {"n": {"$ref": "#/$defs/n", "default": {}}}}}, "$ref": "#/$defs/n"}
    assert applied(schema, {})[1] == [("bad_param", "/params")]


def test_schema_nested_without_measure_is_a_defect() -> None:
    schema: dict[str, Any] = {}
    for _ in range(200):
        schema = {"not": schema}
    assert [code for _, code, _ in schema_defects(schema)] == ["bad_schema"]


@pytest.mark.parametrize(
    ("schema", "defects"),
    [
        ({"type": "array"}, [("/type", "bad_schema")]),
        ({"type": 3}, [("/type", "bad_schema")]),
        ({"properties": {"a": {"pattern": "("}}}, [("/properties/a/pattern", "bad_schema")]),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, [("/properties/a/$ref", "bad_schema")]),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, [("/properties/a/$ref", "remote_ref")]),
        ({"properties": {"a": {"$dynamicRef": "http://x"}}}, [("/properties/a/$dynamicRef", "remote_ref")]),
        ({"$id": "http://x"}, [("/$id", "remote_ref")]),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, [("/$schema", "bad_schema")]),
        ({"properties": {"a": {"type": "string", "default": 1}}}, [("/properties/a/default", "bad_schema")]),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "properties": {"$ref": {"type": "string"}}}, []),
        ({"properties": {"a": {"default": {"$ref": "http://x"}}}}, []),
        ({"$defs": {"a": {"$anchor": "here"}}, "properties": {"b": {"$ref": "#here"}}}, []),
    ],
)
def test_defects_of_a_schema(schema: dict[str, Any], defects: list[tuple[str, str]]) -> None:
    assert [(path, code) for path, code, _ in schema_defects(schema)] == defects
