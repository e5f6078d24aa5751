"""The first administrator, in a real database."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from headrace_cli.client.connection import admin_token
from headrace_cli.home.admin import create_first_admin, credentials_path, read_credentials
from headrace_cli.terminal.errors import CommandError
from platform_core.database.engine import transaction
from platform_core.identity.auth import authenticate, log_in
from platform_core.identity.keys import KeyRing
from platform_core.identity.signing_keys import SigningKeys
from platform_core.settings import Settings


def test_first_admin_can_log_in_with_the_credentials_of_the_home(
    tmp_path: Path, engine: Engine, database_url: str
) -> None:
    assert create_first_admin(tmp_path, database_url)
    credentials = read_credentials(tmp_path)
    assert credentials is not None
    assert stat.S_IMODE(credentials_path(tmp_path).stat().st_mode) == 0o600
    with transaction(engine) as connection:
        principal = log_in(connection, credentials.name, credentials.password)
    assert (principal.name, principal.role, principal.user_id) == ("admin", "admin", credentials.user_id)


def test_existing_admin_is_left_alone(tmp_path: Path, database_url: str) -> None:
    assert create_first_admin(tmp_path, database_url)
    before = credentials_path(tmp_path).read_text()
    assert not create_first_admin(tmp_path, database_url)
    assert credentials_path(tmp_path).read_text() == before


def test_home_that_made_no_admin_gets_no_credentials(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    assert create_first_admin(tmp_path / "one", database_url)
    assert not create_first_admin(tmp_path / "two", database_url)
    assert list((tmp_path / "two").iterdir()) == []
    with pytest.raises(CommandError, match="There are no credentials"):
        admin_token(tmp_path / "two")


def test_token_signed_with_the_homes_key_holds(
    settings: Settings, engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_DATABASE_URL", database_url)
    keys = KeyRing.load_or_create(settings)
    create_first_admin(settings.home, database_url)
    with transaction(engine) as connection:
        principal = authenticate(connection, SigningKeys(keys), admin_token(settings.home))
    assert (principal.name, principal.is_admin) == ("admin", True)
