"""Migrations: they build exactly the tables, once, and other revisions are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Engine

from platform_core.database import schema
from platform_core.database.engine import build_engine
from platform_core.database.tables import SCHEMA, metadata
from platform_core.errors import SchemaTooNew, SchemaTooOld

_CATALOGUE = """
SELECT 'column', table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = 'headrace' AND table_name <> 'alembic_version'
UNION ALL
SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'headrace' AND tablename <> 'alembic_version'
UNION ALL
SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'headrace'::regnamespace AND conrelid <> 'headrace.alembic_version'::regclass
ORDER BY 1, 2, 3
"""


@pytest.fixture
def empty(create_database: Callable[[str | None], str]) -> Iterator[Engine]:
    engine = build_engine(create_database(None))
    yield engine
    engine.dispose()


def _catalogue(engine: Engine) -> list[tuple[str, ...]]:
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE IF NOT EXISTS headrace.alembic_version ()"))
        return [tuple(row) for row in connection.execute(sa.text(_CATALOGUE))]


def test_migrations_build_what_the_tables_say(empty: Engine, engine: Engine) -> None:
    with empty.begin() as connection:
        connection.execute(sa.schema.CreateSchema(SCHEMA))
        metadata.create_all(connection)
    assert _catalogue(engine) == _catalogue(empty)


def test_nothing_is_left_to_generate_at_head(engine: Engine) -> None:
    options = {
        "version_table_schema": SCHEMA,
        "include_schemas": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
    }
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_migrators_that_start_together_do_not_harm_one_another(empty: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: schema.migrate(empty), range(4))) == [schema.head()] * 4
    schema.check(empty)


def test_migrating_again_changes_nothing(engine: Engine, database_url: str) -> None:
    before = _catalogue(engine)
    assert schema.migrate(database_url) == schema.head()
    assert _catalogue(engine) == before


def test_a_newer_schema_is_refused_with_both_revisions(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE headrace.alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew) as refused:
        schema.check(engine)
    assert refused.value.extensions == {"present": "9999", "known": schema.head()}
    with pytest.raises(SchemaTooNew):
        schema.migrate(engine)


def test_an_older_schema_is_refused_with_the_remedy(empty: Engine) -> None:
    with pytest.raises(SchemaTooOld, match=r"revision none, .* run `headrace migrate`"):
        schema.check(empty)
