"""A user to own things, and one open transaction."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.engine import Connection, Engine

from platform_core.identity.user_store import User, create_user


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A transaction that is rolled back."""
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def ada(engine: Engine) -> User:
    with engine.begin() as connection:
        return create_user(connection, "ada", "correct horse", "editor")
