"""The document's JSON Schema agrees with validation on shape."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.checking.schema import document_schema
from graph_compiler.language.loading import load

GRAPHS = Path(__file__).parents[2] / "graphs"
SCHEMA = document_schema(builtin_node_types())
VALIDATOR = Draft202012Validator(SCHEMA)
SHAPE_CODES = {"missing_key", "unknown_key", "wrong_type", "bad_name", "bad_duration", "unknown_node_type", "bad_value"}


def test_schema_is_one_and_names_every_node_type() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["NodeSpec"]["properties"]["type"]["enum"] == list(builtin_node_types())


@pytest.mark.parametrize("path", sorted((GRAPHS / "valid").iterdir()), ids=lambda path: path.stem)
def test_valid_document_fits(path: Path) -> None:
    assert list(VALIDATOR.iter_errors(load(path.read_bytes()).data)) == []


@pytest.mark.parametrize(
    "path",
    [path for path in sorted((GRAPHS / "invalid").iterdir()) if path.name.split("__")[0] in SHAPE_CODES],
    ids=lambda path: path.name,
)
def test_document_of_a_wrong_shape_does_not(path: Path) -> None:
    assert list(VALIDATOR.iter_errors(load(path.read_bytes()).data)) != []


def test_config_is_checked_by_the_type_of_its_node() -> None:
    document = {"spec_version": 1, "name": "x", "nodes": [{"id": "a", "type": "delay", "config": {"value": 1}}]}
    assert {error.json_path for error in VALIDATOR.iter_errors(document)} == {"$.nodes[0].config"}
    document = {"spec_version": 1, "name": "x", "nodes": [{"id": "a", "type": "delay"}]}
    assert [error.message for error in VALIDATOR.iter_errors(document)] == ["'config' is a required property"]
