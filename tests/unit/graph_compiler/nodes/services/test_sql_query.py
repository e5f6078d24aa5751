"""`sql.query`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graph_compiler.checking.validation import check
from graph_compiler.nodes.runtime import SqlAnswer, SqlStatement
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.documents import found
from tests.unit.graph_compiler.nodes.running import run

SECRETS = {"db": "postgresql://ann:s3cr3t@db/x"}


def test_statement_goes_with_its_values_to_the_secret_address() -> None:
    runtime = MemoryRuntime(params={"day": 3}, secrets=SECRETS, sql_answer=SqlAnswer([{"a": 1}], 1))
    config = {"connection": "db", "statement": "SELECT :day", "params": {"day": "{{ params.day }}"}}
    assert run("sql.query", config, {}, runtime, timeout="5s") == {"rows": [{"a": 1}], "row_count": 1}
    asked = {"url": SECRETS["db"], "statement": SqlStatement("SELECT :day", {"day": 3}), "timeout": 5.0}
    assert runtime.calls == [("sql", asked)]


def test_missing_secret_fails() -> None:
    with pytest.raises(NodeError, match="secret_missing"):
        run("sql.query", {"connection": "db", "statement": "SELECT 1"})


def test_template_in_a_statement_is_an_issue() -> None:
    config = {"connection": "db", "statement": "SELECT {{ params.x }}", "batch": [], "params": {"a": 1}}
    nodes = [
        {"id": "a", "type": "sql.query", "config": config},
        {"id": "b", "type": "sql.query", "config": {"connection": "db", "statement": " "}},
    ]
    assert found(nodes=nodes) == [
        ("bad_value", "/nodes/0/config/statement"),
        ("bad_value", "/nodes/0/config/batch"),
        ("bad_value", "/nodes/1/config/statement"),
    ]


def test_values_that_are_missing_or_not_used_are_issues_with_their_places() -> None:
    def query(id: str, **config: Any) -> dict[str, Any]:
        return {"id": id, "type": "sql.query", "config": {"connection": "db", **config}}

    document = {
        "spec_version": 1,
        "name": "test",
        "params": {"type": "object", "properties": {"all": {"type": "object"}}},
        "nodes": [
            query("a", statement="SELECT ':x',\n  :b, :c, :b", params={"b": 1, "d/": 2}),
            query("b", statement="SELECT :x::date", params="{{ params.all }}"),
            query("c", statement="INSERT INTO t VALUES (:x)", batch=[{"x": 1}, {"y": 1}]),
            query("d", statement="INSERT INTO t VALUES (:x)", batch="{{ params.all.rows }}"),
            query("e", statement="SELECT :x", params={}),
        ],
    }
    issues = check(json.dumps(document, indent=1)).issues
    assert [(issue.path, issue.message) for issue in issues] == [
        ("/nodes/0/config/statement", "the statement names the value :c, which `params` does not give"),
        ("/nodes/0/config/params/d~1", "the statement does not use the value 'd/'"),
        ("/nodes/2/config/statement", "the statement names the value :x, which `batch/1` does not give"),
        ("/nodes/2/config/batch/1/y", "the statement does not use the value 'y'"),
        ("/nodes/4/config/statement", "the statement names the value :x, which `params` does not give"),
    ]
    first = issues[0]
    assert first.line is not None
    assert first.column is not None
    line = json.dumps(document, indent=1).splitlines()[first.line - 1]
    assert line[first.column - 1 :].startswith(":c, :b")
