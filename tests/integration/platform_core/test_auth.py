"""Who a credential is, as the database knows them now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import Connection, Engine

from platform_core.errors import ApiKeyNotFound, BadCredentials, Forbidden, TokenExpired, Unauthorized
from platform_core.identity.api_key_store import create_api_key, delete_api_key, list_api_keys
from platform_core.identity.auth import (
    ROLE_SCOPES,
    Principal,
    authenticate,
    authenticate_watcher,
    issue_token,
    issue_watch_token,
    log_in,
)
from platform_core.identity.keys import KeyRing
from platform_core.identity.signing_keys import SigningKeys
from platform_core.identity.ticket_store import issue_ticket, redeem_ticket
from platform_core.identity.user_store import User, change_user, create_user


@pytest.fixture
def keys() -> SigningKeys:
    return SigningKeys(KeyRing(["k" * 32]))


def _principal(user: User) -> Principal:
    return Principal(user.id, user.name, user.role, ROLE_SCOPES[user.role])


def test_a_token_is_its_user(connection: Connection, keys: SigningKeys, ada: User) -> None:
    assert authenticate(connection, keys, issue_token(connection, keys, ada.id, 60)) == _principal(ada)


def test_an_old_token_has_expired(connection: Connection, keys: SigningKeys, ada: User) -> None:
    with pytest.raises(TokenExpired):
        authenticate(connection, keys, issue_token(connection, keys, ada.id, -60))


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "hr_", "hr_unknown", "é", "\0"])
def test_nonsense_is_refused(connection: Connection, keys: SigningKeys, text: str) -> None:
    with pytest.raises(Unauthorized):
        authenticate(connection, keys, text)


def test_a_disabled_user_is_out_at_once(connection: Connection, keys: SigningKeys, ada: User) -> None:
    _, key = create_api_key(connection, _principal(ada), "ci", ["runs:read"])
    token = issue_token(connection, keys, ada.id, 60)
    change_user(connection, "ada", disabled=True)
    for bearer in (token, key):
        with pytest.raises(Unauthorized):
            authenticate(connection, keys, bearer)
    with pytest.raises(BadCredentials):
        log_in(connection, "ada", "correct horse")


def test_a_new_password_ends_the_tokens_before_it_but_no_key(
    connection: Connection, keys: SigningKeys, ada: User
) -> None:
    _, key = create_api_key(connection, _principal(ada), "ci", ["runs:read"])
    token, watch = issue_token(connection, keys, ada.id, 60), issue_watch_token(connection, keys, ada.id, "run-1", 60)
    ticket = issue_ticket(connection, ada.id, "run-1")
    change_user(connection, "ada", password="battery staple")
    for refused in (
        lambda: authenticate(connection, keys, token),
        lambda: authenticate_watcher(connection, keys, watch),
        lambda: redeem_ticket(connection, ticket, "run-1"),
    ):
        with pytest.raises(Unauthorized):
            refused()
    assert authenticate(connection, keys, issue_token(connection, keys, ada.id, 60)) == _principal(ada)
    assert authenticate(connection, keys, key).scopes == {"runs:read"}


def test_tokens_from_before_a_user_was_disabled_do_not_come_back(
    connection: Connection, keys: SigningKeys, ada: User
) -> None:
    token = issue_token(connection, keys, ada.id, 60)
    change_user(connection, "ada", disabled=True)
    change_user(connection, "ada", disabled=False)
    with pytest.raises(Unauthorized):
        authenticate(connection, keys, token)


def test_another_role_ends_the_tokens_before_it_and_counts_for_keys(
    connection: Connection, keys: SigningKeys, ada: User
) -> None:
    _, key = create_api_key(connection, _principal(ada), "ci", ["graphs:write", "runs:read"])
    token = issue_token(connection, keys, ada.id, 60)
    change_user(connection, "ada", role="viewer")
    with pytest.raises(Unauthorized, match="role was changed"):
        authenticate(connection, keys, token)
    assert authenticate(connection, keys, issue_token(connection, keys, ada.id, 60)).scopes == ROLE_SCOPES["viewer"]
    assert authenticate(connection, keys, key).scopes == {"runs:read"}


@pytest.mark.parametrize(
    ("name", "password"), [("ada", "wrong"), ("bob", "correct horse"), ("ada\0", "wrong"), ("", "")]
)
def test_a_wrong_name_and_a_wrong_password_are_answered_the_same(
    connection: Connection, ada: User, name: str, password: str
) -> None:
    with pytest.raises(BadCredentials, match=r"^The user name or the password is wrong\.$"):
        log_in(connection, name, password)


def test_log_in_gives_the_principal(connection: Connection, ada: User) -> None:
    assert log_in(connection, "ada", "correct horse") == _principal(ada)


def test_an_api_key_has_its_scopes_until_it_expires(connection: Connection, keys: SigningKeys, ada: User) -> None:
    now = datetime.now(UTC)
    _, fresh = create_api_key(connection, _principal(ada), "ci", ["runs:read"], now + timedelta(hours=1))
    _, stale = create_api_key(connection, _principal(ada), "ci", ["runs:read"], now - timedelta(seconds=1))
    assert authenticate(connection, keys, fresh) == Principal(ada.id, "ada", "editor", frozenset({"runs:read"}))
    with pytest.raises(TokenExpired):
        authenticate(connection, keys, stale)


def test_a_key_cannot_do_more_than_its_creator(connection: Connection, ada: User) -> None:
    limited = Principal(ada.id, "ada", "editor", frozenset({"runs:read", "keys:write"}))
    for scope in ("graphs:write", "admin", "nonsense"):
        with pytest.raises(Forbidden):
            create_api_key(connection, limited, "ci", ["runs:read", scope])


def test_keys_are_listed_without_their_text_and_deleted_by_their_user_only(engine: Engine, ada: User) -> None:
    with engine.begin() as connection:
        bob = create_user(connection, "bob", "correct horse", "viewer")
        made = [create_api_key(connection, _principal(ada), name, ["runs:read"])[0] for name in ("a", "b", "c")]
        expected = sorted(made, key=lambda key: key.id)
        first = list_api_keys(connection, ada.id, limit=2)
        rest = list_api_keys(connection, ada.id, limit=2, cursor=first.next_cursor)
        assert (first.items + rest.items, rest.next_cursor) == (expected, None)
        with pytest.raises(ApiKeyNotFound):
            delete_api_key(connection, _principal(bob), made[0].id)
        delete_api_key(connection, _principal(ada), made[0].id)
        assert [key.id for key in list_api_keys(connection, ada.id).items] == [
            key.id for key in expected if key.id != made[0].id
        ]
