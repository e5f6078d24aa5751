"""Passes to Dagster's UI."""

from __future__ import annotations

import time

import jwt
import pytest

from platform_core.errors import Unauthorized
from platform_core.identity.keys import KeyRing
from platform_core.identity.ui_pass import caller_of, issue_pass

OLD, NEW = "o" * 32, "n" * 32


def test_a_pass_names_the_caller_also_after_the_key_was_changed() -> None:
    assert caller_of(KeyRing([NEW, OLD]), issue_pass(KeyRing([OLD]), "ida")) == "ida"


def test_a_pass_is_soon_worth_nothing() -> None:
    keys = KeyRing([NEW])
    claims = jwt.decode(issue_pass(keys, "ida"), options={"verify_signature": False})
    assert claims["exp"] <= time.time() + 60
    late = jwt.encode(claims | {"exp": time.time() - 1}, keys.signing_key(), algorithm="HS256")
    with pytest.raises(Unauthorized):
        caller_of(keys, late)
