"""`shell`."""

from __future__ import annotations

import pytest

from graph_compiler.nodes.runtime import Command, CommandAnswer
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.nodes.running import run


def test_values_come_by_environment_and_input_never_by_the_script() -> None:
    runtime = MemoryRuntime(params={"n": 3}, command_answer=CommandAnswer(0, "out\n", "err"))
    config = {"script": "echo {{ params.n }}", "env": {"N": "{{ params.n }}"}, "stdin": "{{ params }}"}
    assert run("shell", config, {}, runtime) == {"stdout": "out\n", "stderr": "err", "exit_code": 0}
    assert runtime.calls == [("run_command", Command("echo {{ params.n }}", {"N": "3"}, '{"n": 3}'))]
    assert [(event["type"], event["message"]) for event in runtime.events] == [("stdout", "out")]


def test_exit_code_fails_the_node_unless_asked_otherwise() -> None:
    runtime = MemoryRuntime(command_answer=CommandAnswer(3, "", "first\nlast\n"))
    with pytest.raises(NodeError, match="shell_status: the script exited with 3: last"):
        run("shell", {"script": "x"}, {}, runtime)
    assert run("shell", {"script": "x", "fail_on_status": False}, {}, runtime)["exit_code"] == 3
