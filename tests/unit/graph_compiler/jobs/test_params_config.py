"""What Dagster's launchpad knows of a graph's params."""

from __future__ import annotations

from typing import Any

import pytest
from dagster import Field, Shape
from dagster._config.validate import validate_config
from dagster._core.snap.snap_to_yaml import default_values_yaml_from_type_snap
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_compiler.jobs.compilation import compile_job
from graph_compiler.jobs.params_config import params_field
from graph_compiler.language.params import applied
from tests.unit.graph_compiler.documents import spec

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "repository": {"type": "string", "description": "Where to look."},
        "limit": {"type": "integer", "default": 20},
        "share": {"type": "number"},
        "kind": {"enum": ["push", "pull request"]},
        "note": {"type": ["string", "null"], "default": None},
        "tags": {"type": "array", "items": {"type": "string"}},
        "place": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
        "input": {"type": "string", "format": "file"},
        "any": True,
    },
    "required": ["repository"],
}


def refused(schema: dict[str, Any], params: Any) -> bool:
    field = params_field(schema)
    return not validate_config(Shape({"params": field}), {"params": params}).success


@pytest.mark.parametrize(
    "params",
    [
        {"repository": "x"},
        {"repository": "x", "limit": 3, "share": 1, "kind": "pull request", "note": None, "tags": ["a"]},
        {"repository": "x", "place": {"x": 1, "y": 2}, "input": {"$file": "a"}, "any": [1, {}]},
    ],
)
def test_params_that_fit_are_taken(params: dict[str, Any]) -> None:
    assert not refused(SCHEMA, params)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"repository": 1},
        {"repository": "x", "limt": 3},
        {"repository": "x", "limit": "3"},
        {"repository": "x", "kind": "pull"},
        {"repository": "x", "tags": [1]},
        {"repository": "x", "place": {}},
    ],
)
def test_params_that_do_not_fit_are_refused(params: dict[str, Any]) -> None:
    assert refused(SCHEMA, params)


def test_defaults_and_descriptions_are_shown() -> None:
    fields: dict[str, Field] = params_field(SCHEMA).config_type.fields  # type: ignore[attr-defined]  # it is a Shape
    assert fields["limit"].default_value == 20
    assert fields["note"].default_value is None
    assert fields["repository"].description == "Where to look."
    assert [name for name, field in fields.items() if field.is_required] == ["repository"]


def begun(schema: dict[str, Any]) -> str:
    """What the launchpad shows at first."""
    job = compile_job(spec(params=schema), name="test__graph").get_job_snapshot()
    root = job.config_schema_snapshot.get_config_snap(job.mode_def_snaps[0].root_config_key or "")
    return default_values_yaml_from_type_snap(job.config_schema_snapshot, root)


def test_the_launchpad_begins_with_the_defaults_where_each_param_has_one() -> None:
    assert "limit: 20" in begun({"properties": {"limit": {"default": 20}, "note": {}}})
    assert begun(SCHEMA) == "{}\n"


def test_a_run_without_params_is_for_the_store_to_judge() -> None:
    assert validate_config(Shape({"params": params_field(SCHEMA)}), {}).success


@pytest.mark.parametrize(
    "schema",
    [
        {"additionalProperties": True, "properties": {"a": {"type": "integer"}}},
        {"properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "string"}]}}, "$defs": {}, "allOf": []},
        {"patternProperties": {"^b": {}}, "properties": {}},
        {"properties": {"a": {"type": "integer", "default": 5.0}, "b": {"type": ["integer", "string", "null"]}}},
    ],
)
def test_what_dagster_cannot_say_is_open(schema: dict[str, Any]) -> None:
    assert not refused(schema, {"a": 1, "b": "x"})


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)
_KINDS = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])
_SCHEMAS = st.recursive(
    st.builds(dict) | st.booleans() | st.fixed_dictionaries({"enum": st.lists(_VALUES, min_size=1, max_size=2)}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": _KINDS | st.lists(_KINDS, min_size=1, max_size=2, unique=True),
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            "required": st.lists(st.sampled_from("ab"), max_size=1),
            "additionalProperties": st.booleans(),
            "items": inner,
            "default": _VALUES,
        },
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from("ab"), _SCHEMAS, max_size=2), st.dictionaries(st.sampled_from("ab"), _VALUES))
def test_nothing_that_fits_is_refused(properties: dict[str, Any], params: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": properties}
    _, issues = applied(schema, params)
    if not issues and not _has_whole_float(params):
        assert not refused(schema, params)


def _has_whole_float(value: Any) -> bool:
    """The one exception, which the module names."""
    if isinstance(value, dict):
        return any(map(_has_whole_float, value.values()))
    if isinstance(value, list):
        return any(map(_has_whole_float, value))
    return isinstance(value, float) and value.is_integer()
