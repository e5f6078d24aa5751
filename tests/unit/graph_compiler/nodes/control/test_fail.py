"""`fail`."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.documents import found
from tests.unit.graph_compiler.nodes.running import run


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"message": "no {{ inputs.what }}"}, ("failed", "no rows", False)),
        ({"message": "{{ inputs.what }}", "kind": "no_rows", "retryable": True}, ("no_rows", "rows", True)),
    ],
)
def test_it_fails_as_told(config: dict[str, Any], expected: tuple[str, str, bool]) -> None:
    with pytest.raises(NodeError) as raised:
        run("fail", config, {"what": "rows"})
    assert (raised.value.kind, raised.value.message, raised.value.retryable) == expected


def test_kind_that_is_no_name_is_an_issue() -> None:
    nodes = [{"id": "f", "type": "fail", "config": {"message": "x", "kind": "No Rows"}}]
    assert found(nodes=nodes) == [("bad_value", "/nodes/0/config/kind")]
