"""Secrets in texts, values and bytes."""

from __future__ import annotations

from typing import Any

import pytest

from definitions.execution.masking import Masking

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
