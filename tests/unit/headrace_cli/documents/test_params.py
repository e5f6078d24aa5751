"""Params from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_cli.documents.params import collect, value_of
from headrace_cli.terminal.errors import CommandError

SCHEMA = {
    "properties": {
        "limit": {"type": "integer"},
        "name": {"type": "string"},
        "note": {"type": ["string", "null"]},
        "items": {"type": "array"},
        "any": {},
    }
}


@pytest.mark.parametrize(
    ("assignment", "params"),
    [
        ("limit=5", {"limit": 5}),
        ("name=5", {"name": "5"}),
        ('name="quoted"', {"name": '"quoted"'}),
        ("note=null", {"note": None}),
        ("note=5", {"note": "5"}),
        ("items=[1, 2]", {"items": [1, 2]}),
        ("items=1, 2", {"items": "1, 2"}),
        ("any=true", {"any": True}),
        ("any=yes", {"any": "yes"}),
        ('any="true"', {"any": "true"}),
        ("any=NaN", {"any": "NaN"}),
        ("any=", {"any": ""}),
        ("unknown=1=2", {"unknown": "1=2"}),
        ("name=@@someone", {"name": "@someone"}),
    ],
)
def test_assignment_is_json_where_the_schema_allows_it_and_text_otherwise(
    assignment: str, params: dict[str, Any]
) -> None:
    assert collect([assignment], None, SCHEMA) == params


@given(st.text())
def test_text_of_a_string_param_is_never_changed(text: str) -> None:
    marked = f"@{text}" if text.startswith("@") else text
    assert value_of(marked, {"string"}) == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_json_is_read_back_where_anything_is_allowed(value: Any) -> None:
    assert value_of(json.dumps(value), set()) == value


def test_content_of_a_file_is_the_value(tmp_path: Path) -> None:
    (tmp_path / "commits.json").write_text('[{"id": 1}]')
    assert collect([f"items=@{tmp_path}/commits.json"], None, SCHEMA) == {"items": [{"id": 1}]}


def test_assignment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("limit: 1\nname: x\n")
    assert collect(["limit=2"], tmp_path / "params.yaml", SCHEMA) == {"limit": 2, "name": "x"}


@pytest.mark.parametrize("assignment", ["limit", "=5", ""])
def test_assignment_without_a_name_is_refused(assignment: str) -> None:
    with pytest.raises(CommandError, match="expected name=value"):
        collect([assignment], None, SCHEMA)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nothing\.json cannot be read"):
        collect([f"items=@{tmp_path}/nothing.json"], None, SCHEMA)


def test_file_with_a_syntax_error_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"a": 1,\n "b": }')
    with pytest.raises(CommandError, match=r"params\.json:2:\d+: "):
        collect([], tmp_path / "params.json", SCHEMA)


def test_file_that_holds_no_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("- 1\n")
    with pytest.raises(CommandError, match="must hold an object"):
        collect([], tmp_path / "params.yaml", SCHEMA)
