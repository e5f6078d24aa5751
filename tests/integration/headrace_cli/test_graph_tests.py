"""`headrace test`: documents with tests, executed by the engine and the sandbox, without a server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from headrace_cli.main import app
from headrace_cli.terminal.errors import CommandError

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "test-graphs.md"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["test", *arguments])


def document(**parts: Any) -> dict[str, Any]:
    nodes = [
        {"id": "fetch", "type": "http.request", "config": {"url": "https://example.com/"}},
        {"id": "shown", "type": "transform", "config": {"value": "{{ inputs.body }}"}},
    ]
    edges = [{"from": "fetch.body", "to": "shown.body"}]
    outputs = {"body": "{{ nodes.shown.value }}"}
    return {"spec_version": 1, "name": "page", "nodes": nodes, "edges": edges, "outputs": outputs, **parts}


def answering(body: Any) -> dict[str, Any]:
    return {"fetch": {"status": 200, "headers": {}, "body": body}}


def written(folder: Path, file: str = "page.json", **parts: Any) -> str:
    (folder / file).write_text(json.dumps(document(**parts)))
    return str(folder / file)


def refused(*arguments: str) -> int:
    error = run(*arguments).exception
    assert isinstance(error, CommandError)
    return error.exit_code


@pytest.fixture
def guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The document of the guide as `notify.yaml` in the current folder; answers its text."""
    text: str = re.findall(r"^```yaml\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)
    Path("notify.yaml").write_text(text)
    return text


def test_the_guide_shows_what_the_command_prints(guide: str) -> None:
    shown = re.findall(r"^```console\n\$ headrace test.*?\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    good = run("notify.yaml")
    assert (good.exit_code, good.stdout) == (0, shown[0])
    Path("notify.yaml").write_text(guide.replace("[3, 7]", "[3, 8]"))
    bad = run("notify.yaml", "--only", "a push is reported")
    assert (bad.exit_code, bad.stdout) == (1, shown[1])


def test_a_node_that_reaches_the_world_is_an_error_whatever_the_graph_makes_of_it(tmp_path: Path) -> None:
    nodes = [
        {"id": "fetch", "type": "http.request", "config": {"url": "https://example.com/"}, "on_error": "continue"},
        {"id": "told", "type": "publish", "config": {"broker": "broker", "topic": "t", "body": "x"}},
        {"id": "kept", "type": "file.write", "config": {"path": "a.txt", "content": "x"}, "on_error": "continue"},
    ]
    done = run(written(tmp_path, nodes=nodes, edges=[], outputs={}, tests=[{"name": "reaches"}]), "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["tests"], told["failures"], told["errors"]) == (1, 1, 0, 1)
    errors = told["suites"][0]["cases"][0]["errors"]
    assert sorted(error.partition(";")[0] for error in errors) == [
        "fetch: in a test no node sends a request (GET https://example.com/)",
        "kept: in a test no node writes a file (files:a.txt)",
        "told: in a test no node reads a secret (broker)",
    ]


def test_issues_and_missing_tests_are_told_and_other_files_are_run(tmp_path: Path) -> None:
    wrong = written(tmp_path, "wrong.json", tests=[{"name": "x", "nodes": {"fetsh": {}}}])
    none = written(tmp_path, "none.json")
    good = written(tmp_path, "good.json", tests=[{"name": "x", "nodes": answering(1)}])
    done = run(wrong, none, good)
    lines = done.stdout.splitlines()
    assert (done.exit_code, lines[1:]) == (1, ["passed  page: x"])
    assert "unknown_node: there is no node `fetsh`" in lines[0]
    assert done.stderr.splitlines() == [f"{none}: no tests", "1 passed, 0 failed, 0 with errors, 1 not valid"]
    assert run(none).exit_code == 0
    assert refused(good, "--only", "y") == 2
    assert refused(str(tmp_path / "missing.json")) == 2


def test_called_graphs_are_executed_with_stand_ins_for_their_nodes(tmp_path: Path) -> None:
    inner = written(tmp_path, "inner.json", name="inner")
    nodes = [
        {"id": "call", "type": "graph", "config": {"graph": "inner"}},
        {"id": "other", "type": "graph", "foreach": [1, 2], "config": {"graph": "inner"}},
    ]
    values = {"call/fetch": answering("a")["fetch"], "other/fetch": answering("b")["fetch"]}
    outputs = {"one": "{{ nodes.call.body }}", "all": "{{ nodes.other.body }}"}
    tests = [
        {"name": "inside", "nodes": values, "expect": {"outputs": {"one": "a", "all": ["b", "b"]}}},
        {
            "name": "whole",
            "nodes": {"call": {"body": 1}, "other": {"body": [2]}},
            "expect": {"outputs": {"one": 1, "all": [2]}},
        },
    ]
    outer = written(tmp_path, "outer.json", name="outer", nodes=nodes, edges=[], outputs=outputs, tests=tests)
    done = run(outer, "--with", inner)
    assert (done.exit_code, done.stdout) == (0, "passed  outer: inside\npassed  outer: whole\n")
    alone = run(outer)
    assert alone.exit_code == 1
    assert "call: the graph `inner` is not known here" in alone.stdout
    assert "passed  outer: whole" in alone.stdout


def test_time_is_skipped_and_timeouts_count_all_the_same(tmp_path: Path) -> None:
    nodes = [{"id": "long", "type": "delay", "config": {"duration": "2h"}}]
    parts: dict[str, Any] = {"nodes": nodes, "edges": [], "outputs": {}}
    late = {"name": "late", "expect": {"error": {"kind": "run_timeout"}}}
    path = written(tmp_path, settings={"timeout": "1h"}, tests=[late], **parts)
    assert run(path).stdout == "passed  page: late\n"
    path = written(tmp_path, settings={"timeout": "3h"}, tests=[{"name": "in time"}], **parts)
    assert run(path).stdout == "passed  page: in time\n"


def test_code_that_does_not_end_is_stopped_and_named(tmp_path: Path) -> None:
    code = "def main():\n    while True:\n        pass\n"
    nodes = [{"id": "spins", "type": "python", "config": {"code": code}}]
    path = written(tmp_path, nodes=nodes, edges=[], outputs={}, tests=[{"name": "spins"}])
    done = run(path, "--timeout", "1")
    assert done.exit_code == 1
    assert "the run did not end within 1 s" in done.stdout
