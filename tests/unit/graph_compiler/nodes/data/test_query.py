"""`query`."""

from __future__ import annotations

import pytest

from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.nodes.running import run


def test_expression_is_rendered_then_applied() -> None:
    runtime = MemoryRuntime(params={"age": 30})
    people = {"people": [{"name": "Ann", "age": 40}, {"name": "Bo", "age": 20}]}
    config = {"expression": "people[?age > `{{ params.age }}`].name"}
    assert run("query", config, {"value": people}, runtime) == {"value": ["Ann"]}


def test_rendered_expression_that_is_none_fails() -> None:
    with pytest.raises(NodeError) as raised:
        run("query", {"expression": "{{ params.x }}"}, {"value": 1}, MemoryRuntime(params={"x": "a["}))
    assert (raised.value.kind, raised.value.message) == ("bad_expression", "a[: the expression ends too early")
