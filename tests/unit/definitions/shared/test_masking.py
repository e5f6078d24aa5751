"""Secrets in texts, values and bytes."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from definitions.shared.masking import MASK, MaskedLines, Masking

SECRET = 'p4ss "word"&more'


@pytest.fixture
def masking() -> Masking:
    masking = Masking()
    masking.add(SECRET)
    masking.add("first line\n  second line")
    masking.add("abc")
    return masking


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (f"<{SECRET}>", "<***>"),
        ({"k": [SECRET, 5, None, {SECRET: True}]}, {"k": ["***", 5, None, {"***": True}]}),
        (f"<{SECRET}>".encode(), b"<***>"),
        ("?q=p4ss%20%22word%22%26more", "?q=***"),
        ("q=p4ss+%22word%22%26more", "q=***"),
        (b'{"k": "p4ss \\"word\\"&more"}', b'{"k": "***"}'),
        ("  second line, by itself", "  ***, by itself"),
        ("abc is too short to be masked", "abc is too short to be masked"),
        (b"\x00\xff", b"\x00\xff"),
    ],
)
def test_secret_is_masked_in_every_form(masking: Masking, value: Any, masked: Any) -> None:
    assert masking.value(value) == masked


def test_without_secrets_the_value_itself_comes_back() -> None:
    value = {"a": [1]}
    assert Masking().value(value) is value


@pytest.mark.parametrize("user", ["", "a", "al", "ann", "Zoë"])
def test_secret_is_masked_within_base64_whatever_stands_before_it(masking: Masking, user: str) -> None:
    sent = b64encode(f"{user}:{SECRET}".encode()).decode()
    shown = masking.text(f"Authorization: Basic {sent}")
    assert MASK in shown
    assert b64encode(SECRET.encode()).decode()[:8] not in shown
    assert len(shown) <= len("Authorization: Basic ***") + (4 * len(user.encode()) + 8) // 3 + 4


def test_secrets_that_overlap_are_masked_as_one() -> None:
    masking = Masking()
    masking.add("abcdefgh")
    masking.add("efghijkl")
    assert masking.text("<abcdefghijkl>") == "<***>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("it was sk_live_42… and more", "it was ***… and more"),
        ("…424242424242 ended", "…*** ended"),
        ("sk_… is too little", "sk_… is too little"),
        ("all sk_live_4242424242424242…", "all ***…"),
    ],
)
def test_part_of_a_secret_beside_a_cut_is_masked(text: str, shown: str) -> None:
    masking = Masking()
    masking.add("sk_live_4242424242424242")
    assert masking.text(text) == shown


def test_text_whose_rest_was_dropped_does_not_end_with_the_beginning_of_a_secret() -> None:
    masking = Masking()
    masking.add("sk_live_4242424242424242")
    assert masking.cut("xxxxsk_live_42") == "xxxx***"
    assert masking.cut("xxxxsk_") == "xxxxsk_"


printable = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cs", "Cc"]), min_size=4)


@given(
    secret=printable.filter(lambda text: "x" not in text and "*" not in text and "…" not in text),
    before=st.integers(0, 60),
    after=st.integers(0, 60),
    chunk=st.integers(1, 40),
    most=st.integers(8, 30),
    ending=st.sampled_from([b"", b"\n", b"\r\n", b"\rx\n", b"\nx"]),
)
def test_no_part_of_a_secret_is_left_wherever_chunks_and_lines_cut_it(
    secret: str, before: int, after: int, chunk: int, most: int, ending: bytes
) -> None:
    masking = Masking()
    masking.add(secret)
    data = ("x" * before + secret + "x" * after).encode() + ending
    lines = MaskedLines(lambda: masking, most)
    shown = [line for start in range(0, len(data), chunk) for line in lines.feed(data[start : start + chunk])]
    shown += lines.finish()
    text = "\n".join(shown)
    assert [text for start in range(len(secret) - 3) if secret[start : start + 4] in text] == []
    assert text.replace("\n", "").replace("\r", "").replace("*", "").strip("x") == ""
    assert max(map(len, shown)) <= most


@given(secret=printable.filter(lambda text: "x" not in text), before=st.integers(0, 60), limit=st.integers(0, 200))
def test_no_part_of_a_secret_is_left_where_the_output_ends(secret: str, before: int, limit: int) -> None:
    masking = Masking()
    masking.add(secret)
    lines = MaskedLines(lambda: masking, 16)
    shown = lines.feed(("x" * before + secret).encode()[:limit]) + lines.finish(is_cut=True)
    assert [line for line in shown for start in range(len(secret) - 3) if secret[start : start + 4] in line] == []
