"""The embedded server's data directory, made by the real initdb."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from platform_core.database.postgres import EmbeddedPostgres
from tests.running_postgres import running


@pytest.fixture
def home() -> Iterator[Path]:
    """Outside pytest's own folders, which the server's system user may not enter."""
    with tempfile.TemporaryDirectory(prefix="headrace-postgres-") as folder:
        yield Path(folder)


def test_half_made_data_directory_is_made_anew(home: Path) -> None:
    draft = home / "postgres.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    EmbeddedPostgres(home).prepare()
    assert not draft.exists()
    assert (home / "postgres" / "global" / "pg_control").exists()


def test_preparing_again_keeps_the_data(home: Path) -> None:
    EmbeddedPostgres(home).prepare()
    before = (home / "postgres" / "global" / "pg_control").stat().st_mtime_ns
    EmbeddedPostgres(home).prepare()
    assert (home / "postgres" / "global" / "pg_control").stat().st_mtime_ns == before


def test_long_home_has_its_sockets_elsewhere(home: Path) -> None:
    deep = home / ("x" * 100)
    server = EmbeddedPostgres(deep)
    assert deep not in server.socket_folder.parents
    assert len(str(server.socket_folder / ".s.PGSQL.5432.lock")) < 108
    assert server.socket_folder != EmbeddedPostgres(home / ("y" * 100)).socket_folder


def test_nobody_connects_without_the_password(home: Path) -> None:
    server = EmbeddedPostgres(home)
    assert not server.prepare()
    password = server.password_file.read_text().strip().rpartition(":")[2]
    assert server.password_file.stat().st_mode & 0o777 == 0o600
    assert password not in " ".join([server.url, *server.command()])
    with running(server):
        psycopg.connect(server.url_of("postgres")).close()
        for given in ("", f":{password[:-1]}x"):
            address = f"postgresql://postgres{given}@/postgres?host={server.socket_folder}&passfile=/dev/null"
            with pytest.raises(psycopg.OperationalError, match=r"password|fe_sendauth"):
                psycopg.connect(address)
        with psycopg.connect(server.url_of("postgres")) as connection:
            row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'").fetchone()
    assert row is not None
    assert row[0].startswith("SCRAM-SHA-256$")


def test_a_server_that_let_in_everybody_asks_for_a_password_and_loses_nothing(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.prepare()
    with running(server), psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        connection.execute("ALTER ROLE postgres PASSWORD NULL")
    # As homes of earlier releases are.
    (server.data / "pg_hba.conf").write_text("local all all trust\n")
    server.password_file.unlink()
    assert server.prepare()
    with running(server), psycopg.connect(server.url_of("postgres")) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert not server.prepare()


def test_a_lost_password_is_replaced(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.prepare()
    server.password_file.unlink()
    server.prepare()
    with running(server):
        psycopg.connect(server.url_of("postgres")).close()
