"""The reference page of the document: every key, with an example that the schema takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.checking.document_examples import EXAMPLES, MEANINGS
from graph_compiler.checking.document_reference import document_models, document_page
from graph_compiler.checking.schema import document_schema
from graph_compiler.checking.validation import check

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "document.md"


def test_the_written_page_is_that_of_the_code() -> None:
    """If this fails: `make docs`."""
    assert PAGE.read_text("utf-8") == document_page()


def test_every_key_of_the_schema_has_an_example_and_no_other_has_one() -> None:
    keys = {name: sorted(model["properties"]) for name, model in document_models().items()}
    assert {name: sorted(examples) for name, examples in EXAMPLES.items()} == keys
    known = {f"{name}.{key}" for name, found in keys.items() for key in found}
    assert MEANINGS.keys() - known == set()


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_one(name: str) -> None:
    definitions = document_schema(builtin_node_types())["$defs"]
    for key, field in document_models()[name]["properties"].items():
        (value,) = yaml.safe_load(f"{key}: {EXAMPLES[name][key]}").values()
        errors = list(Draft202012Validator({"$defs": definitions, **field}).iter_errors(value))
        assert errors == [], key


def test_the_whole_document_of_the_page_is_valid() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert check(text, syntax="yaml").issues == ()
