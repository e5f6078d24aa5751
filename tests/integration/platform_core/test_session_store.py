"""Sessions of browsers hold until they idle, expire, are ended, or their user changes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import sessions
from platform_core.errors import Unauthorized
from platform_core.identity.auth import ROLE_SCOPES, Principal
from platform_core.identity.session_store import begin_session, csrf_token, end_session, session_principal
from platform_core.identity.user_store import User, change_user
from platform_core.settings import Settings

SETTINGS = Settings(session_ttl=3600, session_idle=600)


def age(connection: Connection, **columns: str) -> None:
    """Move times of all sessions into the past, by intervals of PostgreSQL."""
    moved = {name: sessions.c[name] - sa.cast(by, sa.Interval) for name, by in columns.items()}
    connection.execute(sessions.update().values(moved))


def test_a_session_is_its_user(connection: Connection, ada: User) -> None:
    session = begin_session(connection, SETTINGS, ada.id)
    expected = Principal(ada.id, "ada", "editor", ROLE_SCOPES["editor"])
    assert session_principal(connection, session.id) == expected


@pytest.mark.parametrize("session_id", ["", "x", "é", "\0"])
def test_nonsense_is_no_session(connection: Connection, ada: User, session_id: str) -> None:
    begin_session(connection, SETTINGS, ada.id)
    with pytest.raises(Unauthorized):
        session_principal(connection, session_id)


def test_the_database_does_not_hold_the_id(connection: Connection, ada: User) -> None:
    session = begin_session(connection, SETTINGS, ada.id)
    stored = str(connection.execute(sa.select(sessions)).all())
    assert session.id not in stored
    assert csrf_token(session.id) not in stored


@pytest.mark.parametrize("past", [{"seen_at": "601 s"}, {"expires_at": "3601 s"}])
def test_a_session_ends_when_it_idles_and_in_any_case(connection: Connection, ada: User, past: dict[str, str]) -> None:
    session = begin_session(connection, SETTINGS, ada.id)
    age(connection, **past)
    with pytest.raises(Unauthorized, match="sign in again"):
        session_principal(connection, session.id)


def test_a_session_that_is_used_does_not_idle(connection: Connection, ada: User) -> None:
    session = begin_session(connection, SETTINGS, ada.id)
    for _ in range(3):
        age(connection, seen_at="400 s")
        session_principal(connection, session.id)


def test_an_ended_session_does_not_come_back_and_others_stay(connection: Connection, ada: User) -> None:
    ended, other = (begin_session(connection, SETTINGS, ada.id) for _ in range(2))
    end_session(connection, ended.id)
    with pytest.raises(Unauthorized):
        session_principal(connection, ended.id)
    assert session_principal(connection, other.id).name == "ada"


@pytest.mark.parametrize("change", [{"password": "battery staple"}, {"role": "viewer"}, {"disabled": True}])
def test_a_change_of_the_user_ends_their_sessions(connection: Connection, ada: User, change: dict[str, object]) -> None:
    session = begin_session(connection, SETTINGS, ada.id)
    change_user(connection, "ada", **change)  # type: ignore[arg-type]  # each value fits its name
    change_user(connection, "ada", disabled=False)
    with pytest.raises(Unauthorized):
        session_principal(connection, session.id)


def test_the_same_role_again_ends_nothing(connection: Connection, ada: User) -> None:
    session = begin_session(connection, SETTINGS, ada.id)
    change_user(connection, "ada", role="editor")
    assert session_principal(connection, session.id).role == "editor"


def test_sessions_that_have_expired_are_swept(connection: Connection, ada: User) -> None:
    begin_session(connection, SETTINGS, ada.id)
    age(connection, expires_at="3601 s")
    begin_session(connection, SETTINGS, ada.id)
    assert connection.scalar(sa.select(sa.func.count()).select_from(sessions)) == 1
