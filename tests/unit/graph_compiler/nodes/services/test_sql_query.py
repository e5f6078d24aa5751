"""`sql.query`."""

from __future__ import annotations

import pytest

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
