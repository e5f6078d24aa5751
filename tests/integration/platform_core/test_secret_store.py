"""Secrets at rest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from platform_core.database.tables import secrets
from platform_core.errors import SecretNotFound
from platform_core.identity.keys import KeyRing
from platform_core.identity.secret_store import delete_secret, list_secrets, put_secret, read_secret, renew_secrets
from platform_core.identity.user_store import User, create_user
from tests.waiting import wait_until


def test_a_secret_is_read_back_by_its_owner_only(connection: Connection, keys: KeyRing, ada: User) -> None:
    bob = create_user(connection, "bob", "correct horse", "editor")
    assert put_secret(connection, keys, ada.id, "gh_webhook", "wässer\0")
    assert not put_secret(connection, keys, ada.id, "gh_webhook", "other")
    assert read_secret(connection, keys, ada.id, "gh_webhook") == "other"
    assert read_secret(connection, keys, bob.id, "gh_webhook") is None


def test_nothing_readable_is_stored(connection: Connection, keys: KeyRing, ada: User) -> None:
    put_secret(connection, keys, ada.id, "gh_webhook", "water in the mill")
    assert b"water" not in connection.execute(sa.select(secrets.c.ciphertext)).scalar_one()


def test_names_are_listed_in_pages_and_deleted(connection: Connection, keys: KeyRing, ada: User) -> None:
    for name in ("c", "a", "b"):
        put_secret(connection, keys, ada.id, name, "x")
    first = list_secrets(connection, ada.id, limit=2)
    rest = list_secrets(connection, ada.id, limit=2, cursor=first.next_cursor)
    assert (first.items, rest.items, rest.next_cursor) == (["a", "b"], ["c"], None)
    delete_secret(connection, ada.id, "b")
    assert list_secrets(connection, ada.id).items == ["a", "c"]
    with pytest.raises(SecretNotFound):
        delete_secret(connection, ada.id, "b")


OLD, NEW = "o" * 32, "n" * 32


def test_master_keys_are_rotated_in_batches_and_nobody_notices(connection: Connection, ada: User) -> None:
    old, both = KeyRing([OLD]), KeyRing([NEW, OLD])
    for number in range(5):
        put_secret(connection, old if number % 2 else both, ada.id, f"s{number}", f"v{number}")
    written = connection.execute(sa.select(secrets.c.name, secrets.c.updated_at).order_by("name")).all()
    counts, last = [], None
    while True:
        batch = renew_secrets(connection, both, last, 2)
        counts.append(batch.renewed)
        if (last := batch.last) is None:
            break
    assert counts == [1, 1, 0]
    assert connection.execute(sa.select(secrets.c.name, secrets.c.updated_at).order_by("name")).all() == written
    values = [read_secret(connection, KeyRing([NEW]), ada.id, f"s{number}") for number in range(5)]
    assert values == [f"v{number}" for number in range(5)]
    assert renew_secrets(connection, both, None, 10).renewed == 0


def test_a_secret_of_a_lost_key_is_named_and_stays(connection: Connection, ada: User) -> None:
    put_secret(connection, KeyRing(["l" * 32]), ada.id, "lost", "x")
    put_secret(connection, KeyRing([OLD]), ada.id, "old", "y")
    batch = renew_secrets(connection, KeyRing([NEW, OLD]), None, 10)
    assert (batch.renewed, batch.unreadable) == (1, ["lost"])
    assert read_secret(connection, KeyRing(["l" * 32]), ada.id, "lost") == "x"


def test_a_secret_that_is_set_meanwhile_is_left_alone(engine: Engine, ada: User) -> None:
    old, both = KeyRing([OLD]), KeyRing([NEW, OLD])
    with engine.begin() as connection:
        put_secret(connection, old, ada.id, "oak", "before")
    with engine.connect() as setting, ThreadPoolExecutor(1) as pool:
        put_secret(setting, both, ada.id, "oak", "after")
        renewing = pool.submit(_renewed, engine, both)
        wait_until(lambda: _is_waiting(engine), "the renewal waits for the row")
        setting.commit()
        assert renewing.result() == 0
    with engine.connect() as connection:
        assert read_secret(connection, both, ada.id, "oak") == "after"


def _renewed(engine: Engine, keys: KeyRing) -> int:
    with engine.begin() as connection:
        return renew_secrets(connection, keys, None, 10).renewed


def _is_waiting(engine: Engine) -> bool:
    query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with engine.connect() as connection:
        return connection.execute(sa.text(query)).first() is not None
