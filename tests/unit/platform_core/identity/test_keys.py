"""Master keys: derivation, rotation and the key file."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from platform_core.errors import BadConfiguration
from platform_core.identity.keys import KeyRing
from platform_core.settings import Settings

OLD = "o" * 32
NEW = "n" * 32


def test_what_an_older_key_encrypted_is_still_decrypted() -> None:
    cipher = KeyRing([OLD]).encrypt(b"water")
    assert KeyRing([NEW, OLD]).decrypt(cipher) == b"water"


def test_what_the_active_key_encrypted_is_not_renewed_and_all_else_is() -> None:
    ring, old = KeyRing([NEW, OLD]), KeyRing([OLD]).encrypt(b"water")
    renewed = ring.renewed(old)
    assert renewed is not None
    assert KeyRing([NEW]).decrypt(renewed) == b"water"
    assert ring.renewed(renewed) is None
    with pytest.raises(BadConfiguration, match="not configured"):
        KeyRing([NEW]).renewed(old)


def test_a_ring_without_the_key_refuses_to_decrypt() -> None:
    with pytest.raises(BadConfiguration, match="not configured"):
        KeyRing([NEW]).decrypt(KeyRing([OLD]).encrypt(b"water"))


def test_tokens_are_signed_with_the_first_key_and_accepted_from_all() -> None:
    ring = KeyRing([NEW, OLD])
    assert ring.signing_key() == KeyRing([NEW]).signing_key()
    assert list(ring.verification_keys()) == [KeyRing([NEW]).signing_key(), KeyRing([OLD]).signing_key()]


@pytest.mark.parametrize("masters", [[], ["short"], [NEW, "short"]])
def test_missing_and_short_keys_are_refused(masters: list[str]) -> None:
    with pytest.raises(BadConfiguration, match="at least 32 characters"):
        KeyRing(masters)


def test_the_key_file_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    first = KeyRing.load_or_create(settings)
    again = KeyRing.load_or_create(settings)
    assert again.decrypt(first.encrypt(b"water")) == b"water"
    assert stat.S_IMODE((tmp_path / "home" / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["secret.key"]


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: KeyRing.load_or_create(settings), range(8)))
    assert len({ring.signing_key() for ring in rings}) == 1


def test_a_key_file_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    KeyRing.load_or_create(settings)
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(BadConfiguration, match="chmod 600"):
        KeyRing.load_or_create(settings)


def test_the_setting_wins_over_the_file(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, secret_key=f" {NEW}, {OLD} ")
    assert list(KeyRing.load_or_create(settings).verification_keys()) == list(KeyRing([NEW, OLD]).verification_keys())
    assert not (tmp_path / "secret.key").exists()
