"""`python`."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.documents import edge, found, node
from tests.unit.graph_compiler.nodes.running import run

ECHO = "def main(a, b=2, **rest): return [a, b, rest]"


def python(code: str, **config: Any) -> dict[str, Any]:
    return {"id": "p", "type": "python", "config": {"code": code, **config}}


def test_main_gets_inputs_and_args_by_name() -> None:
    assert run(
        "python", {"code": ECHO, "args": {"b": "{{ params.b }}"}}, {"a": 1, "c": 3}, MemoryRuntime(params={"b": 5})
    ) == {"result": [1, 5, {"c": 3}]}


def test_input_that_only_a_template_uses_is_not_an_argument() -> None:
    config = {"code": "def main(text): return text", "args": {"text": "{{ inputs.row.name }}"}}
    assert run("python", config, {"row": {"name": "x"}}) == {"result": "x"}


def test_args_may_be_one_template() -> None:
    config = {"code": ECHO, "args": "{{ params.all }}"}
    assert run("python", config, {}, MemoryRuntime(params={"all": {"a": 1}})) == {"result": [1, 2, {}]}
    nodes = [python(ECHO, args="{{ params.all }}")]
    assert found(nodes=nodes, params={"properties": {"all": {}}}) == []


def test_secrets_come_by_env_and_args_and_what_is_not_text_is_json() -> None:
    runtime = MemoryRuntime(secrets={"token": "s"}, params={"n": [1]})
    config = {
        "code": "def main(key): return key",
        "args": {"key": "{{ secrets.token }}"},
        "env": {"TOKEN": "{{ secrets.token }}", "N": "{{ params.n }}"},
    }
    assert run("python", config, {}, runtime) == {"result": "s"}
    [(_, asked)] = runtime.calls
    assert asked["env"] == {"TOKEN": "s", "N": "[1]"}


def test_a_variable_has_a_name_that_a_shell_takes() -> None:
    assert found(nodes=[python("def main(): pass", env={"1": "x"})]) == [("bad_name", "/nodes/0/config/env/1")]


def test_lines_are_published_as_they_come_and_the_timeout_is_passed_on() -> None:
    runtime = MemoryRuntime()
    run("python", {"code": "def main(): print('hello', 1)"}, {}, runtime, timeout="3s")
    assert runtime.calls == [("run_code", {"arguments": {}, "timeout": 3.0})]
    assert runtime.events == [
        {"type": "stdout", "message": "hello 1", "level": "info", "node": "n", "item": None, "data": None}
    ]


def test_error_of_the_code_is_the_nodes() -> None:
    with pytest.raises(NodeError) as raised:
        run("python", {"code": "def main(): return 1 / 0"})
    assert str(raised.value) == "code_error: ZeroDivisionError: division by zero"


def test_annotations_are_the_types_of_ports_and_hold() -> None:
    with pytest.raises(NodeError, match="bad_value: input n: expected integer, got string"):
        run("python", {"code": "def main(n: int): return n"}, {"n": "1"})
    with pytest.raises(NodeError, match="bad_value: output result: expected string, got integer"):
        run("python", {"code": "def main() -> str: return 1"})


def test_value_that_is_no_json_is_refused_with_its_place() -> None:
    with pytest.raises(NodeError, match=r"bad_value: output result\[0\]: nan is not a JSON number"):
        run("python", {"code": "def main(): return [float('nan')]"})


@pytest.mark.parametrize(
    ("nodes", "edges", "issues"),
    [
        ([python("def main(x): ...")], [], [("missing_input", "/nodes/0")]),
        ([python("def main(x, *, y): ...", args={"x": 1})], [], [("missing_input", "/nodes/0")]),
        ([python("def main(x=1): ...")], [], []),
        ([node("a"), python("def main(): ...")], [edge("a.value", "p.x")], [("unused_port", "/edges/0/to")]),
        ([node("a"), python("def main(**all): ...")], [edge("a.value", "p.x")], []),
        ([node("a"), python("def main(x): ...", args={"x": "{{ inputs.y }}"})], [edge("a.value", "p.y")], []),
        ([node("a"), python("def main(x): ...", args={"x": 1})], [edge("a.value", "p.x")],
         [("unused_port", "/edges/0/to")]),
        ([python("def main(x=1): ...", args={"y": 1})], [], [("unknown_argument", "/nodes/0/config/args/y")]),
        ([node("a"), python("nonsense(")], [edge("a.value", "p.x")], [("bad_code", "/nodes/0/config/code")]),
    ],
)  # fmt: skip
def test_ports_are_the_parameters_that_args_do_not_give(
    nodes: list[dict[str, Any]], edges: list[dict[str, Any]], issues: list[tuple[str, str]]
) -> None:
    reported = [(code, path.replace("/nodes/1", "/nodes/0")) for code, path in found(nodes=nodes, edges=edges)]
    assert reported == issues
