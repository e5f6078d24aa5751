"""`sql.query` on a real PostgreSQL, over TCP and with a password."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from definitions.services.services import Services
from graph_compiler.values.errors import NodeError
from platform_core.database.postgres import STOP_SIGNAL, EmbeddedPostgres
from tests.integration.nodes.nodes import run_node
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server of its own that asks for a password, unlike the embedded one, which has no port at all."""
    with tempfile.TemporaryDirectory(prefix="headrace-tests-") as folder:
        yield from serve(Path(folder))


def serve(home: Path) -> Iterator[str]:
    server = EmbeddedPostgres(home)
    server.prepare()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rules = server.data / "pg_hba.conf"
    rules.write_text("host all all 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    command = [*server.command(), "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, **server.options())
    local = f"{server.url_of('postgres')}&port={port}"

    def is_ready() -> bool:
        try:
            with psycopg.connect(local, autocommit=True) as connection:
                connection.execute("CREATE ROLE ann LOGIN PASSWORD 's3cr3t'")
                connection.execute("CREATE DATABASE shop OWNER ann")
                return True
        except psycopg.OperationalError:
            return False

    try:
        wait_until(is_ready, "the server has its user")
        yield f"postgresql://ann:s3cr3t@127.0.0.1:{port}/shop"
    finally:
        process.send_signal(STOP_SIGNAL)
        process.wait(30)


def query(services: Services, url: str, statement: str, **config: Any) -> dict[str, Any]:
    return run_node(services, "sql.query", {"connection": "db", "statement": statement, **config}, secrets={"db": url})


def failure(services: Services, url: str, statement: str, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as raised:
        query(services, url, statement, **config)
    assert "s3cr3t" not in str(raised.value)
    return raised.value


def test_every_type_has_its_json(services: Services, url: str) -> None:
    statement = """
    SELECT 1 AS int, 1.10::numeric AS numeric, 1.5::float8 AS float, true AS bool, null AS none,
           date '2026-01-31' AS date, timestamptz '2026-01-31 12:00:00+00' AT TIME ZONE 'UTC' AS stamp,
           interval '1 minute' AS interval, '\\x00ff'::bytea AS bytes, '{"a": [1]}'::jsonb AS json,
           array[1, 2] AS list, '11111111-1111-1111-1111-111111111111'::uuid AS uuid, inet '10.0.0.1' AS inet
    """
    assert query(services, url, statement)["rows"] == [
        {
            "int": 1,
            "numeric": "1.10",
            "float": 1.5,
            "bool": True,
            "none": None,
            "date": "2026-01-31",
            "stamp": "2026-01-31T12:00:00",
            "interval": 60.0,
            "bytes": b"\x00\xff",
            "json": {"a": [1]},
            "list": [1, 2],
            "uuid": "11111111-1111-1111-1111-111111111111",
            "inet": "10.0.0.1",
        }
    ]


def test_values_are_bound_and_batches_are_one_transaction(services: Services, url: str) -> None:
    query(services, url, "CREATE TABLE IF NOT EXISTS items (id int PRIMARY KEY, name text, data jsonb)")
    insert = "INSERT INTO items VALUES (:id, :name, CAST(:data AS jsonb))"
    batch = [{"id": number, "name": "'; DROP TABLE items; --", "data": {"n": number}} for number in range(2500)]
    assert query(services, url, insert, batch=batch)["row_count"] == 2500
    answer = query(services, url, "SELECT id, name, data FROM items WHERE id = ANY(:ids)", params={"ids": [7]})
    assert answer["rows"] == [{"id": 7, "name": "'; DROP TABLE items; --", "data": {"n": 7}}]
    assert (
        failure(services, url, insert, batch=[{"id": 9000, "name": "", "data": {}}, batch[0]]).kind == "sql_constraint"
    )
    assert query(services, url, "SELECT count(*) AS n FROM items")["rows"] == [{"n": 2500}]
    returned = query(services, url, "DELETE FROM items WHERE id < 2 RETURNING id")
    assert returned == {"rows": [{"id": 0}, {"id": 1}], "row_count": 2}


@pytest.mark.parametrize(
    ("statement", "config", "kind"),
    [
        ("SELECT pg_sleep(60)", {"timeout": "500ms"}, "sql_timeout"),
        ("SELECT generate_series(1, 1000000000) AS n", {"max_rows": 1000}, "sql_too_large"),
        ("SELECT repeat('x', 1000000) AS x FROM generate_series(1, 100)", {}, "sql_too_large"),
        ("SELECT 'NaN'::float8 AS x", {}, "bad_value"),
        ("SELECT * FROM nowhere", {}, "sql_error"),
        ("SELECT :a", {}, "sql_error"),
        ("SELECT CAST(:a AS int)", {"params": {"a": "x"}}, "sql_error"),
        ("SELECT pg_read_file('/etc/passwd')", {}, "sql_error"),
    ],
)
def test_failure_has_its_kind(services: Services, url: str, statement: str, config: Any, kind: str) -> None:
    assert failure(services, url, statement, **config).kind == kind


@pytest.mark.parametrize("changed", [("s3cr3t@", "other@"), ("/shop", "/nowhere"), ("127.0.0.1:", "127.0.0.1:1")])
def test_database_that_cannot_be_reached(services: Services, url: str, changed: tuple[str, str]) -> None:
    if changed[1].endswith(":1"):
        changed = (url.split("@")[1], "127.0.0.1:9/shop")
    assert failure(services, url.replace(*changed), "SELECT 1").kind == "sql_unreachable"


def test_cancelling_ends_a_statement_at_once(services: Services, url: str) -> None:
    timer = threading.Timer(0.5, services._cancel_services)
    timer.start()
    assert failure(services, url, "SELECT pg_sleep(60)").kind == "canceled"
    timer.join()
