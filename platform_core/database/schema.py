"""The database's schema: brings it to this code's revision and refuses to work on any other."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from platform_core.database.engine import build_engine, transaction
from platform_core.database.tables import SCHEMA
from platform_core.errors import SchemaTooNew, SchemaTooOld

_ADVISORY_LOCK = 0x68656164  # "head": any constant, the same in every Headrace process


def migrate(database: Engine | str) -> str:
    """Apply all missing migrations in one transaction and return the revision reached.

    Migrators that start together wait for one another; a schema that is already there is left alone.
    Raises `SchemaTooNew` if a newer Headrace migrated this database, `Unavailable` if it is away.
    """
    if isinstance(database, str):
        engine = build_engine(database)
        try:
            return migrate(engine)
        finally:
            engine.dispose()
    with transaction(database) as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        _refuse_newer(_revision(connection))
        connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return head()


def check(engine: Engine) -> None:
    """Raise `SchemaTooNew` or `SchemaTooOld` unless the database is at exactly this code's revision."""
    with transaction(engine) as connection:
        present = _revision(connection)
    _refuse_newer(present)
    if present != head():
        raise SchemaTooOld(
            f"The database is at schema revision {present or 'none'}, this Headrace needs {head()}: "
            "run `headrace migrate`.",
            present=present,
            needed=head(),
        )


def head() -> str:
    """The newest revision this code knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def _refuse_newer(present: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if present is not None and present not in known:
        raise SchemaTooNew(
            f"The database is at schema revision {present}, this Headrace knows none newer than {head()}: "
            "use the Headrace that migrated it.",
            present=present,
            known=head(),
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA}).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config
