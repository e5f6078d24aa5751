"""Streams outlive what happens to the database: nothing is lost and nothing comes twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy.engine import Engine

from platform_core.database import schema
from platform_core.database.engine import build_engine, plain_url
from platform_core.database.postgres import EmbeddedPostgres
from platform_core.identity.keys import KeyRing
from platform_core.identity.user_store import User
from platform_core.settings import Settings
from stream_api.serving.streams import LISTENER
from tests.integration.stream_api.conftest import Served, serving
from tests.integration.stream_api.runs import append, create_owner, create_run
from tests.running_postgres import prepared, running
from tests.tokens import bearer_token


def end_connections(connection: psycopg.Connection, name: str) -> int:
    """Kill the server's side of all connections whose application name begins so; how many."""
    rows = connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE %s",
        (f"{name}%",),
    ).fetchall()
    return len(rows)


@pytest.mark.parametrize("name", [LISTENER, "headrace stream"], ids=["listener", "listener and readers"])
def test_a_killed_connection_is_replaced_and_nothing_is_missed(
    name: str, serve: Callable[..., Served], engine: Engine, owner: User, token: str, connection: psycopg.Connection
) -> None:
    run_id = create_run(engine, owner)
    with serve().client(token).open(run_id) as blocks:
        next(blocks)
        assert next(blocks).id == "1"
        assert end_connections(connection, name) > 0
        append(connection, run_id, count=3)
        assert [next(blocks).id for _ in range(3)] == ["2", "3", "4"]
        append(connection, run_id, "run.succeeded")
        assert [block.id for block in blocks] == ["5"]


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    with prepared() as server:
        yield server


def test_a_stream_goes_on_after_the_database_was_killed(server: EmbeddedPostgres) -> None:
    settings = Settings(home=server.home, database_url=server.url)
    keys = KeyRing.load_or_create(settings)
    engine = build_engine(server.url)
    with running(server) as process:
        server.ensure_database()
        schema.migrate(server.url)
        owner = create_owner(engine, "ada")
        run_id = create_run(engine, owner)
        with serving(settings, engine, keys) as served:
            client = served.client(bearer_token(engine, keys, owner.id, 600))
            with client.open(run_id) as blocks:
                next(blocks)
                assert next(blocks).id == "1"
                process.kill()
                process.wait(30)
                with running(server), psycopg.connect(plain_url(server.url), autocommit=True) as connection:
                    append(connection, run_id, count=2)
                    append(connection, run_id, "run.succeeded")
                    assert [block.id for block in blocks] == ["2", "3", "4"]
    engine.dispose()
