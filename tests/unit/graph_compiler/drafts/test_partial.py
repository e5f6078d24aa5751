"""Configs that are wrong somewhere: the rest of them still says which ports there are."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.catalogue.node_types import builtin_node_types
from tests.unit.graph_compiler.documents import edge, found, node

CODE = "def main(x: int, y: list = []) -> dict:\n    return {}\n"


def issues(type: str, config: dict[str, Any], output: str = "bogus", target: str | None = None) -> list[str]:
    """Codes and places of a node `n` of the type, one of whose outputs is read by an edge, and one input fed."""
    nodes = [node("s"), {"id": "n", "type": type, "config": config}, node("t", "{{ inputs.x }}")]
    edges = [edge(f"n.{output}", "t.x"), *([] if target is None else [edge("s.value", f"n.{target}")])]
    return [f"{code} {path}" for code, path in found(nodes=nodes, edges=edges)]


@pytest.mark.parametrize(
    ("type", "config", "expected"),
    [
        ("transform", {"value": 1, "extra": 2}, ["unknown_key /nodes/1/config/extra"]),
        ("transform", {}, ["missing_key /nodes/1/config"]),
        ("http.request", {"url": 5, "pages": {"by": "lnk"}}, ["wrong_type", "missing_key"]),
        ("http.request", {"url": "http://x", "auth": {}}, ["missing_key"]),
        ("python", {"cod": CODE}, ["missing_key /nodes/1/config", "unknown_key /nodes/1/config/cod"]),
        ("python", {"code": 5}, ["wrong_type /nodes/1/config/code"]),
        ("file.read", {"file": "a", "as": "xml"}, ["bad_value /nodes/1/config/as"]),
        ("merge", {"mode": "all"}, ["missing_input", "bad_value /nodes/1/config/mode"]),
        ("csv.write", {"path": 5, "from": 5}, ["wrong_type", "bad_value"]),
        ("switch", {"cases": [{"port": "big", "when": 5}]}, ["wrong_type"]),
        ("switch", {"cases": [{"port": "big"}, {"port": "small", "wen": True}]}, ["missing_key", "unknown_key"]),
        ("delay", {"duration": "soon"}, ["bad_duration /nodes/1/config/duration"]),
    ],
    ids=str,
)
def test_a_wrong_config_does_not_hide_an_output_that_is_not_there(
    type: str, config: dict[str, Any], expected: list[str]
) -> None:
    reported = issues(type, config)
    assert "unknown_port /edges/0/from" in reported
    for start in expected:
        assert any(issue.startswith(start) for issue in reported), reported


def test_outputs_and_inputs_that_are_there_are_not_reported() -> None:
    assert issues("switch", {"cases": [{"port": "big", "when": 5}]}, "big") == [
        "wrong_type /nodes/1/config/cases/0/when"
    ]
    assert issues("file.read", {"file": "a", "as": "xml"}, "content") == ["bad_value /nodes/1/config/as"]
    assert issues("python", {"code": CODE, "arg": {}}, "result", "x") == ["unknown_key /nodes/1/config/arg"]


def test_what_the_rest_of_a_config_says_is_reported_too() -> None:
    assert issues("python", {"code": CODE, "arg": {}}, "result", "z") == [
        "missing_input /nodes/1",
        "unknown_key /nodes/1/config/arg",
        "unused_port /edges/1/to",
    ]
    assert issues("query", {"expression": "a[", "more": 1}, "value", "value") == [
        "bad_expression /nodes/1/config/expression",
        "unknown_key /nodes/1/config/more",
    ]


def test_ports_that_a_wrong_key_decides_are_not_guessed() -> None:
    assert issues("switch", {"cases": [{"port": "Big", "when": True}]}, "small") == [
        "bad_value /nodes/1/config/cases/0/port"
    ]
    assert issues("switch", {"cases": "{{ run.id }}"}, "small") == ["wrong_type /nodes/1/config/cases"]
    assert issues("python", {"code": CODE, "args": 5}, "result", "z") == ["wrong_type /nodes/1/config/args"]


@pytest.mark.parametrize("name", sorted(builtin_node_types()))
def test_no_broken_config_of_any_type_raises(name: str) -> None:
    model = builtin_node_types()[name].config_model
    example: dict[str, Any] = model.model_json_schema()["examples"][0]
    for key in [*example, "nobody_knows"]:
        values: tuple[Any, ...] = (None, 5, [], [5], {}, {"x": [1]}, "{% broken", [{}], {"by": 5})
        for wrong in values:
            found(nodes=[{"id": "n", "type": name, "config": {**example, key: wrong}}])
    for key in example:
        found(nodes=[{"id": "n", "type": name, "config": {k: v for k, v in example.items() if k != key}}])
