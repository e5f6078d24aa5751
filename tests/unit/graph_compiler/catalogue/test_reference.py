"""The generated pages of the node types: complete, and not stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.catalogue.reference import page, pages

FOLDER = Path(__file__).parents[3] / "docs" / "reference" / "nodes"
TYPES = builtin_node_types()


def test_written_pages_are_those_of_the_code() -> None:
    """If this fails: `make docs`."""
    assert {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()} == dict(pages(TYPES))


@pytest.mark.parametrize("name", TYPES)
def test_page_names_every_field_port_and_failure(name: str) -> None:
    node_type = TYPES[name]
    text = page(node_type)
    schema = node_type.config_model.model_json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        assert [field for field in part.get("properties", {}) if f"| `{field}` |" not in text] == []
    ports = node_type.ports(node_type.read_config(schema["examples"][0], rendered=False))
    assert [port.name for port in ports.inputs if f"| `{port.name}` (in) |" not in text] == []
    assert [port.name for port in ports.outputs if f"| `{port.name}` (out) |" not in text] == []
    assert [failure.kind for failure in node_type.failures if f"| `{failure.kind}` |" not in text] == []
