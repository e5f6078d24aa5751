"""`filter`."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.testing.memory import MemoryRuntime
from tests.unit.graph_compiler.nodes.running import run


@pytest.mark.parametrize(
    ("where", "items", "kept", "rest"),
    [
        ("@ > `1`", [1, 2, 3], [2, 3], [1]),
        ("@", [0, 1, "", None, [], {}, False, "a", 0.0], [0, 1, "a", 0.0], ["", None, [], {}, False]),
        (
            "tags && contains(tags, '{{ params.tag }}')",
            [{"tags": ["x"]}, {"tags": []}, {}],
            [{"tags": ["x"]}],
            [{"tags": []}, {}],
        ),
        ("@", [], [], []),
    ],
)
def test_items_are_kept_in_order_and_the_rest_too(
    where: str, items: list[Any], kept: list[Any], rest: list[Any]
) -> None:
    runtime = MemoryRuntime(params={"tag": "x"})
    assert run("filter", {"where": where}, {"items": items}, runtime) == {"items": kept, "rest": rest}
