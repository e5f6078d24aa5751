"""The fake runtime keeps the promises of `NodeRuntime` that tests rely on."""

from __future__ import annotations

import pytest

from graph_compiler.nodes.runtime import NodeRuntime
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError


def test_fake_is_a_node_runtime() -> None:
    runtime: NodeRuntime = MemoryRuntime(params={"a": 1})
    assert runtime.params == {"a": 1}


def test_missing_secret_and_failing_code_have_their_kinds() -> None:
    runtime = MemoryRuntime(secrets={"a": "x"})
    assert runtime.secret("a") == "x"
    with pytest.raises(NodeError) as raised:
        runtime.secret("b")
    assert raised.value.kind == "secret_missing"
    with pytest.raises(NodeError) as raised:
        runtime.run_code("def main(x): return x", {}, timeout=None, on_line=lambda stream, text: None)
    assert raised.value.kind == "code_error"
