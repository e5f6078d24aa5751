"""The embedded server's data directory, made by the real initdb."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_core.database.postgres import EmbeddedPostgres


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
