"""`delay`."""

from __future__ import annotations

import pytest

from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.nodes.running import run


def test_time_passes_and_the_value_passes_through() -> None:
    runtime = MemoryRuntime()
    assert run("delay", {"duration": "1.5s"}, {"value": {"a": 1}}, runtime) == {"value": {"a": 1}}
    assert runtime.calls == [("wait", 1.5)]


def test_duration_may_be_a_template_and_no_input_is_null() -> None:
    runtime = MemoryRuntime(params={"pause": "2m"})
    assert run("delay", {"duration": "{{ params.pause }}"}, {}, runtime) == {"value": None}
    assert runtime.calls == [("wait", 120)]


def test_rendered_duration_that_is_none_is_bad_config() -> None:
    with pytest.raises(NodeError) as raised:
        run("delay", {"duration": "{{ params.pause }}"}, {}, MemoryRuntime(params={"pause": "soon"}))
    assert (raised.value.kind, raised.value.retryable) == ("bad_config", False)
    assert raised.value.message.startswith("config.duration: a duration is")


def test_timeout_ends_a_longer_wait() -> None:
    runtime = MemoryRuntime()
    with pytest.raises(NodeError) as raised:
        run("delay", {"duration": 10}, {}, runtime, timeout="2s")
    assert raised.value.kind == "timeout"
    assert runtime.calls == [("wait", 2)]
