"""Cursors of lists."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_core.database.pagination import decode_cursor, encode_cursor
from platform_core.errors import BadCursor


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.integers())
def test_a_cursor_is_read_back_and_safe_in_an_address(text: str, number: int) -> None:
    cursor = encode_cursor(text, number)
    assert decode_cursor(cursor, str, int) == [text, number]
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(BadCursor):
        decode_cursor(text, str, str)


_FOREIGN = [("a",), ("a", 1), ("a", "b", "c"), ("a", "\0"), ("a", "\ud800")]


@pytest.mark.parametrize("cursor", ["", "{}", *(encode_cursor(*position) for position in _FOREIGN)])
def test_a_cursor_of_another_list_or_that_no_item_can_have_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(cursor, str, str)
