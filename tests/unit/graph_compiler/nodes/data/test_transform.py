"""`transform`."""

from __future__ import annotations

from graph_compiler.testing.memory import MemoryRuntime
from tests.unit.graph_compiler.nodes.running import run


def test_value_is_rendered_from_params_inputs_trigger_and_run() -> None:
    value = {"p": "{{ params.n }}", "i": "{{ inputs.x }}", "t": "{{ trigger.kind }}", "r": "{{ run.graph }}"}
    runtime = MemoryRuntime(params={"n": 1})
    assert run("transform", {"value": value}, {"x": [2]}, runtime) == {
        "value": {"p": 1, "i": [2], "t": "manual", "r": "test"}
    }
