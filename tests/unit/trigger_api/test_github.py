"""GitHub's signature over raw bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trigger_api.webhooks.github import SIGNATURE, is_signed, sign


def test_the_signature_is_the_one_of_githubs_documentation() -> None:
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sign("It's a Secret to Everybody", b"Hello, World!") == expected


@given(st.text(min_size=1), st.binary(min_size=1), st.data())
def test_it_holds_for_these_bytes_and_this_secret_only(secret: str, body: bytes, data: st.DataObject) -> None:
    headers = {SIGNATURE: sign(secret, body)}
    assert is_signed(secret, body, headers)
    place, flipped = data.draw(st.integers(0, len(body) - 1)), data.draw(st.integers(1, 255))
    assert not is_signed(secret, body[:place] + bytes([body[place] ^ flipped]) + body[place + 1 :], headers)
    assert not is_signed(secret + "x", body, headers)
    assert not is_signed(secret, body, {})


@given(st.text())
def test_any_header_may_come_and_is_only_compared(offered: str) -> None:
    assert is_signed("secret", b"body", {SIGNATURE: offered}) is (offered == sign("secret", b"body"))
