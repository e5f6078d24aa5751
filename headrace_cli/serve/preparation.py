"""What must be true of the database before a service may use it: its schema, Dagster's tables, one administrator."""

from __future__ import annotations

import time

from definitions.instance import storage
from headrace_cli.home import admin, signin_link
from platform_core.database import schema
from platform_core.database.engine import build_engine, ping
from platform_core.errors import SchemaTooOld, Unavailable
from platform_core.identity.keys import KeyRing
from platform_core.settings import Settings

_PAUSE = 1.0


def migrate(settings: Settings) -> str:
    """Bring Dagster's tables and our schema to this code's revision; returns ours. Safe to repeat and to race.

    Ours comes last, because it is what `await_schema` waits for.
    """
    assert settings.database_url is not None
    storage.migrate(settings)
    return schema.migrate(settings.database_url)


def prepare(settings: Settings, *, migrating: bool, patience: float = 0.0) -> None:
    """Make the database ready for `up`: migrated (or checked, if it is not ours to migrate), with an administrator.

    Raises `Unavailable` if the database cannot be reached for `patience` seconds.
    """
    assert settings.database_url is not None
    _await_database(settings.database_url, patience)
    KeyRing.load_or_create(settings)
    if migrating:
        migrate(settings)
    else:
        _check(settings.database_url)
    given = None if settings.admin_password is None else settings.admin_password.get_secret_value()
    admin.create_first_admin(settings.home, settings.database_url, given)
    token = signin_link.new_token(settings.home, settings.database_url)
    if token is not None:
        signin_link.leave(settings.home, token)


def await_schema(settings: Settings, patience: float) -> None:
    """Return once the database is at this code's revision. Raises what is wrong with it after `patience` seconds."""
    assert settings.database_url is not None
    deadline = time.monotonic() + patience
    while True:
        try:
            _check(settings.database_url)
            return
        except (SchemaTooOld, Unavailable):
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)


def _await_database(database_url: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    engine = build_engine(database_url, pool_size=1)
    try:
        while True:
            try:
                ping(engine)
                return
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
    finally:
        engine.dispose()


def _check(database_url: str) -> None:
    engine = build_engine(database_url, pool_size=1)
    try:
        schema.check(engine)
    finally:
        engine.dispose()
