"""Passwords, tokens and scopes without a database."""

from __future__ import annotations

import itertools

import pytest

from platform_core.errors import Forbidden
from platform_core.identity.auth import ROLE_SCOPES, Principal, hash_password, new_api_key, verify_password


def test_a_password_fits_only_its_own_hash() -> None:
    stored = hash_password("correct horse")
    assert stored.startswith("$argon2id$")
    assert verify_password(stored, "correct horse")
    assert not verify_password(stored, "Correct horse")


def test_nobodys_password_fits() -> None:
    assert not verify_password(None, "correct horse")


def test_each_role_may_do_what_the_one_below_may() -> None:
    roles = [ROLE_SCOPES[name] for name in ("viewer", "operator", "editor", "admin")]
    assert all(below < above for below, above in itertools.pairwise(roles))


def test_a_missing_scope_is_named() -> None:
    viewer = Principal("1", "ada", "viewer", ROLE_SCOPES["viewer"])
    viewer.demand("runs:read")
    with pytest.raises(Forbidden, match="runs:write"):
        viewer.demand("runs:write")


def test_only_owner_and_admin_see_a_thing() -> None:
    assert Principal("1", "ada", "editor", ROLE_SCOPES["editor"]).may_see("1")
    assert not Principal("1", "ada", "editor", ROLE_SCOPES["editor"]).may_see("2")
    assert Principal("1", "ada", "admin", ROLE_SCOPES["admin"]).may_see("2")


def test_api_keys_are_random_and_only_their_hash_is_for_storing() -> None:
    (one, hash_of_one), (other, hash_of_other) = new_api_key(), new_api_key()
    assert one.startswith("hr_")
    assert one != other
    assert hash_of_one != hash_of_other
    assert len(hash_of_one) == 32
