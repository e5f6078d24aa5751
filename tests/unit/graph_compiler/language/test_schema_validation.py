"""Schemas and values that would keep a validator busy for hours are answered at once, and ordinary ones as before."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.language.params import apply, schema_defects
from graph_compiler.language.schema_validation import MAX_ERRORS, MAX_WORK, errors_of
from graph_compiler.language.spec import GraphSpec

TOO_MUCH = f"checking this against its schema takes more than {MAX_WORK} steps"


def _said(schema: Any, value: Any) -> list[str]:
    return [error.message for error in errors_of(schema, value)]


def _spec(schema: dict[str, Any]) -> GraphSpec:
    node = {"id": "n", "type": "log", "config": {"message": "x"}}
    return GraphSpec.model_validate({"spec_version": 1, "name": "g", "params": schema, "nodes": [node]})


def _chain(keyword: str, length: int) -> dict[str, Any]:
    """Each definition asks twice for the next: 2 to the power of `length` checks."""
    parts = {f"d{i}": {keyword: [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(length)}
    return {
        "$defs": parts | {f"d{length}": {"type": "integer" if keyword == "allOf" else "null"}},
        "$ref": "#/$defs/d0",
    }


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_references_that_double_at_each_step_are_cut_by_the_budget(keyword: str) -> None:
    assert _said(_chain(keyword, 40), 1) == [TOO_MUCH]


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": [[i] for i in range(1000)]},
        {"patternProperties": {f"a{i}": True for i in range(2000)}},
        {"additionalProperties": False, "patternProperties": {f"^x{i}$": True for i in range(2000)}},
        {"unevaluatedProperties": False, "patternProperties": {f"^x{i}$": True for i in range(2000)}},
    ],
)
def test_lists_in_a_schema_times_parts_of_a_value_are_counted(schema: dict[str, Any]) -> None:
    value: Any = [[i] for i in range(1000)] if "enum" in schema else {f"k{i}": 1 for i in range(1000)}
    assert _said({"items": schema, **schema} if "enum" in schema else schema, value) == [TOO_MUCH]


def test_errors_that_quote_large_values_are_counted() -> None:
    assert _said({"allOf": [{"anyOf": [{"type": "null"}] * 1000}]}, ["x" * 500_000]) == [TOO_MUCH]


@pytest.mark.parametrize("dialect", ["2020-12/schema", "2019-09/schema"])
def test_a_schema_that_names_its_dialect_is_bounded_all_the_same(dialect: str) -> None:
    named = {"$schema": f"https://json-schema.org/draft/{dialect}", **_chain("anyOf", 40)}
    assert _said(named, 1) == [TOO_MUCH]
    within = {"$defs": named["$defs"], "items": {**named, "$defs": {}}}
    assert _said(within, [1]) == [TOO_MUCH]


def test_a_schema_without_end_is_reported() -> None:
    assert _said({"$ref": "#"}, 1) == ["the schema refers to itself without end, or nests too deeply"]


def test_only_the_first_errors_are_listed() -> None:
    assert len(_said({"items": {"type": "null"}}, list(range(5000)))) == MAX_ERRORS


@pytest.mark.parametrize(
    ("items", "same"),
    [
        ([1, 1.0], (0, 1)),
        ([1, True], None),
        ([0, False, None, "", [], {}], None),
        ([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], (0, 1)),
        (["1", 1], None),
        ([[1, 2], [2, 1]], None),
        ([5, 6, 7, 6], (1, 3)),
        ([10**30, float(10**30)], None),
        ([2**60, float(2**60)], (0, 1)),
    ],
)
def test_unique_items_compares_as_json_does(items: list[Any], same: tuple[int, int] | None) -> None:
    said = f"the items {same[0]} and {same[1]} are the same, and each may be there once" if same else None
    assert _said({"uniqueItems": True}, items) == ([said] if said else [])


@pytest.mark.parametrize("item", [lambda i: i * (2**61 - 1), lambda i: {"a": i}, lambda i: [i], lambda i: i + 0.5])
def test_unique_items_takes_time_in_proportion_to_the_items(item: Any) -> None:
    assert _said({"uniqueItems": True}, [item(i) for i in range(20_000)]) == []


def test_unevaluated_properties_and_items_know_what_the_parts_of_a_schema_look_at() -> None:
    schema = {
        "$defs": {"named": {"properties": {"name": {"type": "string"}}}},
        "$ref": "#/$defs/named",
        "patternProperties": {"^x-": True},
        "anyOf": [{"properties": {"a": {"type": "integer"}}}, {"properties": {"b": True}}],
        "if": {"properties": {"kind": {"const": "k"}}, "required": ["kind"]},
        "then": {"properties": {"more": True}},
        "dependentSchemas": {"b": {"properties": {"c": True}}},
        "unevaluatedProperties": False,
    }
    fits = {"name": "n", "x-1": 1, "a": 1, "kind": "k", "more": 1, "b": 1, "c": 1}
    assert _said(schema, fits) == []
    assert _said(schema, {"a": "no integer", "c": 1}) == [
        "the property 'a' is one that no part of the schema knows",
        "the property 'c' is one that no part of the schema knows",
    ]
    items = {"prefixItems": [True], "contains": {"type": "string"}, "unevaluatedItems": False}
    assert _said(items, [1, "a"]) == []
    assert _said(items, [1, "a", 2]) == ["there are items that no part of the schema knows: 2"]


def test_a_multiple_of_a_fraction_is_found_for_integers_of_any_length() -> None:
    assert _said({"multipleOf": 0.5}, 10**400) == []
    assert _said({"multipleOf": 1.5}, 3) == []


def test_defaults_that_ask_for_themselves_are_bounded_in_number() -> None:
    twice = {"$ref": "#", "default": {}}
    params, issues = apply(_spec({"type": "object", "properties": {"a": twice, "b": twice}}), {})
    assert (params, [(issue.code, issue.path) for issue in issues]) == ({}, [("bad_param", "/params")])


def test_defaults_by_references_that_double_are_bounded() -> None:
    parts = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 4} for i in range(15)}
    schema = {"type": "object", "$defs": parts | {"d15": {}}, "allOf": [{"$ref": "#/$defs/d0"}]}
    assert [issue.code for issue in apply(_spec(schema), {})[1]] == ["bad_param"]


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"properties": {"x": {"pattern": "(?=a)"}}}, "/properties/x/pattern"),
        ({"properties": {"x": {"items": {"pattern": r"(a)\1"}}}}, "/properties/x/items/pattern"),
        ({"patternProperties": {"(?!a)": {}}}, "/patternProperties"),
        ({"$defs": {"d": {"pattern": "["}}}, "/$defs/d/pattern"),
    ],
)
def test_a_pattern_that_re2_does_not_know_is_an_issue_where_it_stands(schema: dict[str, Any], path: str) -> None:
    assert [(place, code) for place, code, _ in schema_defects({"type": "object", **schema})] == [(path, "bad_schema")]
    (said,) = [message for _, _, message in schema_defects({"type": "object", **schema})]
    assert "patterns are RE2's, which has no look-around and no back references" in said


def test_a_param_is_matched_without_backtracking() -> None:
    spec = _spec({"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}})
    _, issues = apply(spec, {"x": "a" * 100_000 + "!"})
    assert [(issue.code, issue.path) for issue in issues] == [("bad_param", "/params/x")]


def test_a_schema_that_is_too_large_to_check_is_refused() -> None:
    schema = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(5_000)}}
    assert [code for _, code, _ in schema_defects(schema)] == ["bad_schema"]
