"""Users and the first administrator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.engine import Connection, Engine

from platform_core.errors import BadCursor, LastAdmin, UserExists, UserNotFound
from platform_core.identity.user_store import User, change_user, create_user, ensure_admin, get_user_by_name, list_users


def test_a_name_is_taken_once(connection: Connection, ada: User) -> None:
    with pytest.raises(UserExists, match="ada"):
        create_user(connection, "ada", "another one", "viewer")


def test_a_user_is_found_by_name(connection: Connection, ada: User) -> None:
    assert get_user_by_name(connection, "ada") == ada
    assert get_user_by_name(connection, "bob") is None


def test_one_first_administrator_is_made_however_many_start(engine: Engine) -> None:
    def ensure(number: int) -> bool:
        with engine.begin() as connection:
            return ensure_admin(connection, f"admin{number}", "correct horse")

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(ensure, range(4))) == [False, False, False, True]


def test_pages_hold_every_user_once(connection: Connection) -> None:
    names = [f"user-{letter}" for letter in "edcba"]
    for name in names:
        create_user(connection, name, "correct horse", "viewer")
    seen, cursor = [], None
    while True:
        page = list_users(connection, limit=2, cursor=cursor)
        seen += [user.name for user in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == sorted(names)


def test_a_foreign_cursor_is_refused(connection: Connection) -> None:
    with pytest.raises(BadCursor):
        list_users(connection, cursor="nonsense")


def test_only_what_is_given_changes(connection: Connection, ada: User) -> None:
    assert change_user(connection, "ada") == ada
    changed = change_user(connection, "ada", role="viewer", disabled=True)
    assert (changed.role, changed.disabled_at is not None) == ("viewer", True)
    assert change_user(connection, "ada", disabled=False).disabled_at is None
    with pytest.raises(UserNotFound):
        change_user(connection, "bob", role="viewer")


def test_the_last_administrator_stays_one(connection: Connection, ada: User) -> None:
    for name in ("root", "rose"):
        create_user(connection, name, "correct horse", "admin")
    change_user(connection, "rose", disabled=True)
    for change in ({"disabled": True}, {"role": "editor"}):
        with pytest.raises(LastAdmin, match="root"):
            change_user(connection, "root", **change)
    assert change_user(connection, "root", role="admin", disabled=False, password="battery staple").role == "admin"
    change_user(connection, "ada", role="admin")
    assert change_user(connection, "root", role="editor").role == "editor"


def test_two_administrators_who_disable_each_other_leave_one(engine: Engine) -> None:
    names = ("root", "rose")
    with engine.begin() as connection:
        for name in names:
            create_user(connection, name, "correct horse", "admin")

    def disable(name: str) -> bool:
        try:
            with engine.begin() as connection:
                change_user(connection, name, disabled=True)
        except LastAdmin:
            return False
        return True

    for _ in range(10):
        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(disable, names)) == [False, True]
        with engine.begin() as connection:
            for name in names:
                change_user(connection, name, disabled=False)
