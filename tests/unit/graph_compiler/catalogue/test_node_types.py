"""The registry, and what every node type must offer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from graph_compiler.catalogue.node_types import builtin_node_types, with_node_types
from graph_compiler.checking.validation import check
from graph_compiler.nodes.node_type import TEMPLATED, AnyNodeType, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.testing.memory import MemoryRuntime
from graph_engine.testing.memory_run import run_in_memory

ROOT = Path(__file__).parents[4]
TYPES = list(builtin_node_types(containers=True).values())


class SplitConfig(NodeConfig):
    text: Annotated[str, TEMPLATED] = Field(description="What to split.")
    parts: int = Field(default=1, description="How many splits.")


class Split(NodeType[SplitConfig]):
    """A third party's node type: closed ports, a name with a dash."""

    name = "acme.text-split"
    summary = "Split text."
    config_model = SplitConfig

    def ports(self, config: SplitConfig) -> Ports:
        return Ports((Port("separator", "string", required=True),), (Port("parts", "array"),), open=False)

    def execute(self, call: NodeCall[SplitConfig]) -> Mapping[str, Any]:
        return {"parts": call.config.text.split(call.inputs["separator"], call.config.parts)}


def test_builtin_types_are_in_the_order_of_their_names() -> None:
    assert list(builtin_node_types()) == sorted(builtin_node_types())


@pytest.mark.parametrize("node_type", TYPES, ids=lambda node_type: node_type.name)
def test_every_config_field_is_described_and_every_example_is_accepted(node_type: AnyNodeType) -> None:
    schema = node_type.describe()["config_schema"]
    assert [name for name, field in schema["properties"].items() if not field.get("description")] == []
    assert schema["examples"]
    for example in schema["examples"]:
        config = node_type.read_config(example, rendered=False)
        assert list(node_type.defects(config)) == []
        ports = node_type.ports(config)
        assert ports.outputs or not ports.is_known


def test_added_type_is_validated_compiled_and_run() -> None:
    types = with_node_types([Split()], builtin_node_types())
    document = """
    spec_version: 1
    name: split
    params: { properties: { text: { default: a-b-c } } }
    nodes:
      - { id: dash, type: transform, config: { value: "-" } }
      - { id: split, type: acme.text-split, config: { text: "{{ params.text }}" } }
    edges: [{ from: dash.value, to: split.separator }]
    outputs: { parts: "{{ nodes.split.parts }}" }
    """
    assert [issue.code for issue in check(document).issues] == ["unknown_node_type"]
    spec = check(document, node_types=types).spec
    assert spec is not None
    ended = run_in_memory(spec, MemoryRuntime(params={"text": "a-b-c"}), node_types=types)
    assert ended.outputs == {"parts": ["a", "b-c"]}


def test_closed_ports_are_unknown_rather_than_unused() -> None:
    types = with_node_types([Split()], builtin_node_types())
    document = """
    spec_version: 1
    name: split
    nodes:
      - { id: dash, type: transform, config: { value: "-" } }
      - { id: split, type: acme.text-split, config: { text: "{{ inputs.other }}" } }
    edges: [{ from: dash.value, to: split.other }]
    """
    issues = check(document, node_types=types).issues
    assert [(issue.code, issue.path) for issue in issues] == [
        ("missing_input", "/nodes/1"),
        ("unknown_port", "/edges/0/to"),
    ]


def test_every_kind_of_error_is_documented() -> None:
    reference = ROOT / "docs" / "reference"
    text = (reference / "node-types.md").read_text() + "".join(
        path.read_text() for path in (reference / "nodes").glob("*.md")
    )
    sources = [*(ROOT / "graph_compiler").rglob("*.py"), *(ROOT / "definitions").glob("*.py")]
    kinds = {kind for path in sources for kind in re.findall(r'NodeError\(\s*"(\w+)"', path.read_text())}
    assert {kind for kind in kinds if f"| `{kind}` |" not in text} == set()


def test_two_types_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"two node types are named 'acme\.text-split'"):
        with_node_types([Split(), Split()], {})
