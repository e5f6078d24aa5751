"""`template`."""

from __future__ import annotations

import pytest

from graph_compiler.testing.memory import MemoryRuntime
from tests.unit.graph_compiler.nodes.running import run


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("Hello {{ params.name }}!", "Hello Ann!"),
        ("{{ params.count }}", "3"),
        ("{{ params }}", '{"name": "Ann", "count": 3}'),
        ("{% for n in range(params.count) %}{{ n }};{% endfor %}", "0;1;2;"),
    ],
)
def test_what_comes_out_is_text(text: str, written: str) -> None:
    runtime = MemoryRuntime(params={"name": "Ann", "count": 3})
    assert run("template", {"text": text}, runtime=runtime) == {"text": written}
