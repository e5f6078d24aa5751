"""Passes to Dagster's UI."""

from __future__ import annotations

import time

import jwt
import pytest

from platform_core.audit.entry import SYSTEM, ActorKind, Author
from platform_core.errors import Unauthorized
from platform_core.facts.credential import Credential
from platform_core.identity.keys import KeyRing
from platform_core.identity.ui_pass import author_of, issue_pass

IDA = Author(ActorKind.USER, "u1", "ida", Credential.SESSION, "127.0.0.1", "r1")
OLD, NEW = "o" * 32, "n" * 32


def test_a_pass_names_the_caller_also_after_the_key_was_changed() -> None:
    assert author_of(KeyRing([NEW, OLD]), issue_pass(KeyRing([OLD]), IDA)) == IDA
    assert author_of(KeyRing([NEW]), issue_pass(KeyRing([NEW]), SYSTEM)) == SYSTEM


def test_a_pass_is_soon_worth_nothing() -> None:
    keys = KeyRing([NEW])
    claims = jwt.decode(issue_pass(keys, IDA), options={"verify_signature": False})
    assert claims["exp"] <= time.time() + 60
    late = jwt.encode(claims | {"exp": time.time() - 1}, keys.signing_key(), algorithm="HS256")
    with pytest.raises(Unauthorized):
        author_of(keys, late)
