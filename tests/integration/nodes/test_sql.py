"""`sql.query` on a real PostgreSQL and on SQLite."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from definitions.services.services import Services
from graph_compiler.values.errors import NodeError
from tests.integration.nodes.nodes import run_node

SQLITE = "sqlite:///data/my.db"


def sqlite(services: Services, statement: str, **config: Any) -> dict[str, Any]:
    return run_node(
        services, "sql.query", {"connection": "db", "statement": statement, **config}, secrets={"db": SQLITE}
    )


def failure(services: Services, url: str, statement: str, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as raised:
        run_node(services, "sql.query", {"connection": "db", "statement": statement, **config}, secrets={"db": url})
    assert "s3cr3t" not in str(raised.value)
    return raised.value


def test_sqlite_table_is_made_filled_and_read(services: Services, tmp_path: Path) -> None:
    sqlite(services, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, blob BLOB, data TEXT)")
    batch = [{"id": number, "name": f"n{number}", "data": {"k": [number]}} for number in range(2500)]
    assert sqlite(services, "INSERT INTO t VALUES (:id, :name, x'00ff', :data)", batch=batch) == {
        "rows": [],
        "row_count": 2500,
    }
    answer = sqlite(services, "SELECT * FROM t WHERE name = :name", params={"name": "n3"})
    assert answer == {"rows": [{"id": 3, "name": "n3", "blob": b"\x00\xff", "data": '{"k": [3]}'}], "row_count": 1}
    assert (tmp_path / "home" / "files" / "ann" / "data" / "my.db").exists()
    assert sqlite(services, "UPDATE t SET name = 'x' WHERE id < 10")["row_count"] == 10


def test_batch_that_fails_changes_nothing(services: Services) -> None:
    sqlite(services, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    error = failure(services, SQLITE, "INSERT INTO t VALUES (:id)", batch=[{"id": 1}, {"id": 2}, {"id": 1}])
    assert error.kind == "sql_constraint"
    assert sqlite(services, "SELECT count(*) AS n FROM t")["rows"] == [{"n": 0}]


@pytest.mark.parametrize(
    ("url", "statement", "config", "kind"),
    [
        (SQLITE, "SELECT :missing", {}, "sql_error"),
        (SQLITE, "SELEC 1", {}, "sql_error"),
        (SQLITE, "SELECT 1; SELECT 2", {}, "sql_error"),
        (SQLITE, "SELECT 1 AS a, 2 AS a", {}, "sql_error"),
        (SQLITE, "ATTACH DATABASE '/etc/passwd' AS p", {}, "sql_error"),
        (SQLITE, "VACUUM INTO '/tmp/stolen.db'", {}, "sql_error"),
        (SQLITE, "PRAGMA writable_schema=ON", {}, "sql_error"),
        (SQLITE, "SELECT load_extension('x')", {}, "sql_error"),
        (SQLITE, "SELECT zeroblob(1000000000)", {}, "sql_error"),
        (SQLITE, "SELECT 9e999 AS x", {}, "bad_value"),
        (
            SQLITE,
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c",
            {"max_rows": 100},
            "sql_too_large",
        ),
        (
            SQLITE,
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c",
            {"timeout": "300ms"},
            "sql_timeout",
        ),
        ("sqlite:////etc/passwd", "SELECT 1", {}, "sql_refused_target"),
        ("sqlite:///../bob/x.db", "SELECT 1", {}, "sql_refused_target"),
        ("sqlite:///x.db?vfs=unix", "SELECT 1", {}, "sql_bad_url"),
        ("mysql://ann:s3cr3t@db/x", "SELECT 1", {}, "sql_bad_url"),
        ("s3cr3t", "SELECT 1", {}, "sql_bad_url"),
        ("postgresql://ann:s3cr3t@/x?host=/tmp", "SELECT 1", {}, "sql_bad_url"),
        ("postgresql://ann:s3cr3t@/x", "SELECT 1", {}, "sql_refused_target"),
        ("postgresql://ann:s3cr3t@%2Ftmp/x", "SELECT 1", {}, "sql_unreachable"),
        ("postgresql://ann:s3cr3t@127.0.0.1:9/x", "SELECT 1", {}, "sql_unreachable"),
        ("postgresql://ann:s3cr3t@nowhere.invalid/x", "SELECT 1", {}, "sql_unreachable"),
    ],
)
def test_failure_has_its_kind(services: Services, url: str, statement: str, config: Any, kind: str) -> None:
    assert failure(services, url, statement, **config).kind == kind


def test_cancelling_ends_a_statement(services: Services) -> None:
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
    timer = threading.Timer(0.3, services._cancel_services)
    timer.start()
    error = failure(services, SQLITE, endless)
    timer.join()
    assert (error.kind, error.retryable) == ("canceled", False)
