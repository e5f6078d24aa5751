"""Multipart bodies are read as they were sent, or refused."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_api.shared.multipart import BadMultipart, Part, parse_multipart


def sent(**files: tuple[str | None, bytes] | tuple[str, bytes, str]) -> tuple[bytes, str]:
    request = httpx.Request("POST", "http://x", files=files)
    return request.read(), request.headers["content-type"]


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_parts_keep_their_bytes_and_their_order(contents: list[bytes]) -> None:
    body, content_type = sent(**{f"p{n}": ("a.bin", content) for n, content in enumerate(contents)})
    found = parse_multipart(body, content_type, 5)
    assert [(name, part.content) for name, part in found] == [(f"p{n}", each) for n, each in enumerate(contents)]


def test_fields_and_files_are_told_apart() -> None:
    body, content_type = sent(
        field=(None, b"1"), file=("a b.png", b"2", "image/png; q=1"), other=("", b"3", ""), plain=("c", b"4")
    )
    assert parse_multipart(body, content_type, 4) == [
        ("field", Part(b"1", None, "text/plain")),
        ("file", Part(b"2", "a b.png", "image/png")),
        ("other", Part(b"3", None, "text/plain")),  # the client leaves an empty name away
        ("plain", Part(b"4", "c", "application/octet-stream")),
    ]
    with pytest.raises(BadMultipart, match="more than 3 parts"):
        parse_multipart(body, content_type, 3)


def test_what_is_cut_off_or_none_is_refused() -> None:
    body, content_type = sent(a=("a.txt", b"x" * 100))
    for wrong in (body[:-20], body[:60], b"", body.replace(b'name="a"', b"")):
        with pytest.raises(BadMultipart):
            parse_multipart(wrong, content_type, 5)
    for other in ("", "multipart/form-data", "multipart/form-data; boundary=other"):
        with pytest.raises(BadMultipart):
            parse_multipart(body, other, 5)
