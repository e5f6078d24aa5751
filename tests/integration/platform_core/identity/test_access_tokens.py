"""Tokens hold only as we made them, and the keys that sign them come and go without anybody noticing."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy.engine import Connection

from platform_core.database.tables import signing_keys
from platform_core.errors import TokenExpired, Unauthorized
from platform_core.identity.access_tokens import LONGEST_TEXT, Audience, sign, verify
from platform_core.identity.keys import KeyRing
from platform_core.identity.signing_keys import SigningKeys, published, rotate

RING = KeyRing(["k" * 32])
USER = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def keys() -> SigningKeys:
    return SigningKeys(RING)


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a token of ours; None leaves one out."""
    now = int(time.time())
    right = {"iss": "headrace", "aud": "headrace/api", "sub": USER, "iat": now, "nbf": now, "exp": now + 60}
    return {name: value for name, value in {**right, **changes}.items() if value is not None}


def ours(connection: Connection, keys: SigningKeys, **changes: Any) -> str:
    kid, private = keys.signing(connection)
    return jwt.encode(claims(**changes), private, algorithm="EdDSA", headers={"kid": kid})


def test_a_token_says_whose_it_is(connection: Connection, keys: SigningKeys) -> None:
    assert verify(connection, keys, Audience.API, sign(connection, keys, Audience.API, USER, 60))["sub"] == USER
    assert verify(connection, keys, Audience.API, ours(connection, keys))["sub"] == USER


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "iat", "nbf", "exp"])
def test_every_claim_is_needed(connection: Connection, keys: SigningKeys, claim: str) -> None:
    with pytest.raises(Unauthorized):
        verify(connection, keys, Audience.API, ours(connection, keys, **{claim: None}))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "elsewhere"},
        {"aud": "headrace/watch"},
        {"aud": ["headrace/api", "elsewhere"]},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600},
        {"sub": 7},
        {"exp": "soon"},
    ],
)
def test_foreign_early_and_malformed_claims_are_refused(
    connection: Connection, keys: SigningKeys, change: dict[str, Any]
) -> None:
    with pytest.raises(Unauthorized):
        verify(connection, keys, Audience.API, ours(connection, keys, **change))


def test_an_expired_token_says_so(connection: Connection, keys: SigningKeys) -> None:
    with pytest.raises(TokenExpired):
        verify(connection, keys, Audience.API, sign(connection, keys, Audience.API, USER, -60))


def _none(kid: str, public: bytes) -> str:
    return jwt.encode(claims(), "", algorithm="none", headers={"kid": kid})


def _hmac_by_public_key(kid: str, public: bytes) -> str:
    return jwt.encode(claims(), public, algorithm="HS256", headers={"kid": kid})


def _foreign_key(kid: str, public: bytes) -> str:
    return jwt.encode(claims(), Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": kid})


def _unknown_key(kid: str, public: bytes) -> str:
    return jwt.encode(claims(), Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": "other"})


@pytest.mark.parametrize("forge", [_none, _hmac_by_public_key, _foreign_key, _unknown_key])
def test_the_token_chooses_neither_algorithm_nor_key(
    connection: Connection, keys: SigningKeys, forge: Callable[[str, bytes], str]
) -> None:
    kid, private = keys.signing(connection)
    with pytest.raises(Unauthorized):
        verify(connection, keys, Audience.API, forge(kid, private.public_key().public_bytes_raw() * 2))


def test_a_token_of_the_release_before_is_refused(connection: Connection, keys: SigningKeys) -> None:
    keys.signing(connection)
    now = int(time.time())
    old = {"iss": "headrace", "sub": USER, "iat": now, "exp": now + 60}
    with pytest.raises(Unauthorized):
        verify(connection, keys, Audience.API, jwt.encode(old, b"f" * 32, algorithm="HS256"))


def test_a_token_that_was_tampered_with_is_refused(connection: Connection, keys: SigningKeys) -> None:
    head, body, signature = ours(connection, keys).split(".")
    other = ours(connection, keys, sub="11111111-1111-1111-1111-111111111111").split(".")[1]
    for token in (f"{head}.{other}.{signature}", f"{head}.{body}.", f"{head}.{body}", f"{head}.{body}.{signature}.x"):
        with pytest.raises(Unauthorized):
            verify(connection, keys, Audience.API, token)


def test_a_huge_token_is_not_looked_at(connection: Connection, keys: SigningKeys) -> None:
    huge = ours(connection, keys, more="x" * LONGEST_TEXT)
    with pytest.raises(Unauthorized):
        verify(connection, keys, Audience.API, huge)


def test_processes_share_the_keys(connection: Connection, keys: SigningKeys) -> None:
    token = sign(connection, keys, Audience.API, USER, 60)
    assert verify(connection, SigningKeys(RING), Audience.API, token)["sub"] == USER
    # A process that checks tokens need not be able to sign any.
    assert verify(connection, SigningKeys(KeyRing(["o" * 32])), Audience.API, token)["sub"] == USER


def age(connection: Connection, **by: float) -> None:
    past = timedelta(**by)
    columns = {name: signing_keys.c[name] - past for name in ("created_at", "signs_from")}
    connection.execute(signing_keys.update().values(columns))


def test_a_new_key_is_published_before_it_signs_and_the_old_one_verifies_after_that(connection: Connection) -> None:
    token = sign(connection, SigningKeys(RING), Audience.API, USER, 60)
    old = published(connection)[0].kid
    age(connection, days=31)
    assert SigningKeys(RING).signing(connection)[0] == old
    new = published(connection)[-1].kid
    assert [key.kid for key in published(connection)] == [old, new]
    age(connection, minutes=11)
    assert SigningKeys(RING).signing(connection)[0] == new
    assert verify(connection, SigningKeys(RING), Audience.API, token)["sub"] == USER
    assert len(published(connection)) == 2


def test_a_key_is_forgotten_when_nothing_that_it_signed_holds(connection: Connection) -> None:
    SigningKeys(RING).signing(connection)
    first = published(connection)[0].kid
    rotate(connection, RING)
    age(connection, days=2)
    rotate(connection, RING)
    kids = [key.kid for key in published(connection)]
    assert len(kids) == 2
    assert first not in kids


def test_a_key_that_was_taken_away_verifies_nothing(
    connection: Connection, keys: SigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sign(connection, keys, Audience.API, USER, 60)
    verify(connection, keys, Audience.API, token)
    connection.execute(signing_keys.delete())
    later = time.monotonic() + 5.1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    with pytest.raises(Unauthorized):
        verify(connection, keys, Audience.API, token)


def test_the_database_does_not_hold_a_private_key(connection: Connection, keys: SigningKeys) -> None:
    _, private = keys.signing(connection)
    stored = connection.scalars(sa.select(signing_keys.c.private_key)).one()
    assert private.private_bytes_raw() not in stored
    assert RING.decrypt(stored) == private.private_bytes_raw()
    assert (
        private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        == published(connection)[0].public.public_bytes_raw()
    )
