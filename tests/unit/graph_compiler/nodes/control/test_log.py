"""`log`."""

from __future__ import annotations

from graph_compiler.testing.memory import MemoryRuntime
from tests.unit.graph_compiler.documents import found
from tests.unit.graph_compiler.nodes.running import run


def test_line_is_published_and_the_value_passes() -> None:
    runtime = MemoryRuntime(params={"n": 2})
    config = {"message": "{{ params.n }}", "level": "warning", "data": {"n": "{{ params.n }}"}}
    assert run("log", config, {"value": [1]}, runtime) == {"value": [1]}
    assert runtime.events == [
        {"type": "log", "message": "2", "level": "warning", "node": "n", "item": None, "data": {"n": 2}}
    ]


def test_long_line_is_cut_and_no_input_is_null() -> None:
    runtime = MemoryRuntime()
    assert run("log", {"message": "x" * 20_000}, runtime=runtime) == {"value": None}
    assert len(runtime.events[0]["message"]) == 16 * 1024


def test_secret_in_a_line_is_an_issue() -> None:
    nodes = [{"id": "l", "type": "log", "config": {"message": "{{ secrets.token }}"}}]
    assert found(nodes=nodes) == [("secret_not_allowed", "/nodes/0/config/message")]
