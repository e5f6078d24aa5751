"""What a webhook's body says, as JSON or as GitHub's form."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_api.webhooks.call import Call

FORM = "application/x-www-form-urlencoded"


def call(body: bytes, content_type: str = "application/json") -> Call:
    return Call("POST", {"content-type": content_type}, {}, body)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))))
def test_both_encodings_say_the_same(value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert call(text.encode()).json() == value
    assert call(urlencode({"payload": text}).encode(), FORM).json() == value


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"payload=%7B%7D", "application/json"),
        (b"", FORM),
        (b"other=1", FORM),
        (b"payload=1&payload=2", FORM),
        (b"payload={", FORM),
        (b"&".join([b"a=1"] * 101), FORM),
    ],
)
def test_anything_else_is_not_json(body: bytes, content_type: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        call(body, content_type).json()
