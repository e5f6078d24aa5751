"""What a test leaves in its database, the next one does not find."""

from __future__ import annotations

import psycopg
import pytest

from platform_core.database.engine import plain_url
from platform_core.database.postgres import EmbeddedPostgres
from tests.databases import MOST_ROWS, Databases

USER = """
INSERT INTO headrace.users (id, name, password_hash, role)
SELECT gen_random_uuid(), 'user ' || n, '', 'editor' FROM generate_series(1, {}) AS n
"""
COUNT = "SELECT count(*) FROM headrace.users"


@pytest.fixture
def lent(postgres: EmbeddedPostgres, template: str) -> Databases:
    """Apart from those of the session, so that the first that is given back is the next that is taken."""
    return Databases(postgres, template)


def test_rows_and_connections_do_not_reach_the_next_test(postgres: EmbeddedPostgres, lent: Databases) -> None:
    name = lent.take()
    with psycopg.connect(plain_url(postgres.url_of(name)), autocommit=True) as left_open:
        left_open.execute(USER.format(2).encode())
        lent.give_back(name)
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("SELECT 1")
    assert lent.take() == name
    with psycopg.connect(postgres.url_of(name)) as connection:
        assert connection.execute(COUNT).fetchone() == (0,)
        assert connection.execute("SELECT session_user, current_setting('session_replication_role')").fetchone() == (
            "postgres",
            "origin",
        )


def test_sequences_begin_again(postgres: EmbeddedPostgres, lent: Databases) -> None:
    name = lent.take()
    used = "SELECT nextval(format('%I.%I', schemaname, sequencename)::regclass) - start_value FROM pg_sequences"
    with psycopg.connect(postgres.url_of(name)) as connection:
        first = connection.execute(used).fetchall()
    lent.give_back(name)
    assert lent.take() == name
    with psycopg.connect(postgres.url_of(name)) as connection:
        assert first != []
        assert connection.execute(used).fetchall() == first


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE headrace.secrets",
        "DROP TABLE headrace.alembic_version",
        "UPDATE headrace.alembic_version SET version_num = '9999'",
        "CREATE TABLE more ()",
        "ALTER TABLE headrace.users ADD COLUMN age int",
        "ALTER TABLE headrace.users ADD CHECK (name <> '')",
        "ALTER DATABASE {} SET timezone TO 'Asia/Tokyo'",
        USER.format(MOST_ROWS + 1),
    ],
)
def test_what_emptying_would_not_undo_is_dropped(postgres: EmbeddedPostgres, lent: Databases, change: str) -> None:
    name = lent.take()
    with psycopg.connect(postgres.url_of(name)) as connection:
        connection.execute(change.format(name).encode())
    lent.give_back(name)
    with psycopg.connect(postgres.url_of("postgres")) as connection:
        assert connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).rowcount == 0
    assert lent.take() != name
