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


def part_of(disposition: str, content: bytes = b"x", kind: str | None = None) -> Part:
    lines = [f"Content-Disposition: form-data; {disposition}", *([f"Content-Type: {kind}"] if kind else [])]
    body = b"--b\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n--b--\r\n"
    ((_, part),) = parse_multipart(body, "multipart/form-data; boundary=b", 1)
    return part


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ("name=f; filename*=UTF-8''Zo%C3%AB%20%E2%82%AC.png; filename=\"x.png\"", "Zoë €.png"),
        ("name=f; filename=\"x.png\"; filename*=utf-8'en'a%3Bb.png", "a;b.png"),
        ("name=f; filename*=koi8-r''%C1.png", "\u0430.png"),
        ('name=f; filename*0="a;b"; filename*1="c.png"', "a;bc.png"),
        ("name=f; filename*0*=utf-8''%C3%AB; filename*1=.png", "ë.png"),
        ("name=f; filename*=bogus''%C1.png; filename=plain.png", "plain.png"),
        ("name=f; filename*=nonsense; filename=plain.png", "plain.png"),
        ('name=f; filename="Zoë \\"q\\".png"', 'Zoë "q".png'),
    ],
)
def test_a_file_has_its_name_in_whatever_form_it_is_sent(disposition: str, filename: str) -> None:
    assert part_of(disposition).filename == filename


def test_a_field_is_text_in_the_charset_that_it_or_the_form_declares() -> None:
    assert part_of("name=f", "Zoë".encode()).text() == "Zoë"
    assert part_of("name=f", "Zoë".encode("latin-1"), 'text/plain; charset="ISO-8859-1"').text() == "Zoë"
    body = b"--b\r\nContent-Disposition: form-data; name=_charset_\r\n\r\nwindows-1252\r\n"
    body += "--b\r\nContent-Disposition: form-data; name=f\r\n\r\n€\r\n--b--\r\n".encode("cp1252")
    assert [part.text() for _, part in parse_multipart(body, "multipart/form-data; boundary=b", 2)] == [
        "windows-1252",
        "€",
    ]
    for content, kind in ((b"\xff", "text/plain"), (b"x", "text/plain; charset=unicode_escape")):
        with pytest.raises(BadMultipart, match="neither a file nor text"):
            part_of("name=f", content, kind).text()
