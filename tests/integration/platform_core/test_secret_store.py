"""Secrets at rest."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import secrets
from platform_core.errors import SecretNotFound
from platform_core.identity.keys import KeyRing
from platform_core.identity.secret_store import delete_secret, list_secrets, put_secret, read_secret
from platform_core.identity.user_store import User, create_user


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
