"""Bodies become values by their content type; what is not what it says is refused, never guessed."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_core.errors import TooLarge, UnsupportedMediaType
from trigger_api.shared.multipart import Part
from trigger_api.webhooks.bodies import BadBody, kind_of, payload_of_form, value_of
from trigger_api.webhooks.call import Call
from trigger_api.webhooks.codings import unpacked

FORM = "application/x-www-form-urlencoded"


def call(body: bytes, content_type: str | None = "application/json") -> Call:
    headers = {} if content_type is None else {"content-type": content_type}
    return Call("POST", "/hooks/x", "", {}, headers, None, body)


def value(body: bytes, content_type: str | None, wanted: str = "auto") -> Any:
    received = call(body, content_type)
    return value_of(received, kind_of(received, wanted), lambda part: part)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(), st.lists))
def test_json_is_its_value(content: Any) -> None:
    for content_type in ("application/json", "application/json; charset=utf-8", "application/cloudevents+json", None):
        assert value(json.dumps(content).encode(), content_type) == content


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"1e999", b'"\\ud800"', b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        value(body, "application/json")


def test_no_body_is_null() -> None:
    assert value(b"", None) is None


@given(st.dictionaries(st.text(min_size=1), st.text() | st.lists(st.text(), min_size=2, max_size=3)))
def test_a_form_is_its_fields_and_repeated_ones_are_lists(fields: dict[str, Any]) -> None:
    assert value(urlencode(fields, doseq=True).encode(), FORM) == fields


def test_a_form_that_is_not_one_is_refused() -> None:
    for body in (b"a=%ff", b"\xff=1", b"&".join(b"a=1" for _ in range(1001))):
        with pytest.raises(BadBody):
            value(body, FORM)


def test_githubs_form_has_one_payload() -> None:
    assert payload_of_form(call(urlencode({"payload": '{"a": 1}'}).encode(), FORM)) == {"a": 1}
    for body in (b"", b"payload=1&payload=2", b"payload=%7B", b"other=1"):
        with pytest.raises(BadBody):
            payload_of_form(call(body, FORM))


@given(content=st.binary(max_size=300), text=st.text(st.characters(codec="utf-8"), max_size=50))
def test_multipart_has_fields_and_files_with_their_bytes(content: bytes, text: str) -> None:
    request = httpx.Request(
        "POST", "http://x", data={"note": text, "tag": ["a", "b"]}, files={"photo": ("mill.png", content, "image/png")}
    )
    received = value(request.read(), request.headers["content-type"])
    assert received == {
        "note": text,
        "tag": ["a", "b"],
        "photo": Part(content, "mill.png", "image/png"),
    }


@pytest.mark.parametrize("boundary", ["b" * 257, "b" * 5000, '""', "ü", '"a\\"b"', "\x00"])
def test_no_boundary_makes_a_body_fail_otherwise_than_by_refusing(boundary: str) -> None:
    for body in (b"{}", b"", b"--" + b"b" * 5000):
        with pytest.raises(BadBody):
            value(body, f"multipart/form-data; boundary={boundary}")


def test_multipart_that_is_cut_or_has_no_boundary_is_refused() -> None:
    request = httpx.Request("POST", "http://x", files={"a": ("a.txt", b"x" * 100)})
    body, content_type = request.read(), request.headers["content-type"]
    for wrong in (body[:-20], body[:60], b""):
        with pytest.raises(BadBody):
            value(wrong, content_type)
    with pytest.raises(BadBody):
        value(body, "multipart/form-data")
    with pytest.raises(BadBody):
        value(body, None, "multipart")


def test_text_and_xml_are_text_in_their_charset() -> None:
    assert value("Müller".encode("latin-1"), "text/plain; charset=latin-1") == "Müller"
    assert value("<a>ü</a>".encode(), "application/xml") == "<a>ü</a>"
    assert value(b"<a/>", "application/soap+xml") == "<a/>"
    for content_type in ("text/plain", "text/plain; charset=none-such"):
        with pytest.raises(BadBody):
            value(b"\xff", content_type)


def test_bytes_are_base64_and_only_where_asked_for() -> None:
    content = {"filename": None, "content_type": "image/png", "size": 2, "base64": "iVA="}
    assert value(b"\x89P", "image/png", "bytes") == content
    with pytest.raises(UnsupportedMediaType):
        value(b"\x89P", "image/png")


@pytest.mark.parametrize(
    ("content_type", "wanted", "taken"),
    [
        ("application/json", "json", True),
        ("text/json", "json", True),
        ("text/plain", "json", False),
        ("application/json", "form", False),
        (FORM, "form", True),
        ("text/xml", "xml", True),
        ("text/xml", "text", True),
        ("application/json", "text", False),
        ("multipart/form-data", "form", False),
        ("multipart/mixed", "auto", False),
        ("application/octet-stream", "auto", False),
    ],
)
def test_other_content_types_than_the_one_asked_for_are_refused(content_type: str, wanted: str, taken: bool) -> None:
    received = call(b"x", content_type)
    if taken:
        assert kind_of(received, wanted) != "bytes"
    else:
        with pytest.raises(UnsupportedMediaType):
            kind_of(received, wanted)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("name=Zoë".encode(), FORM),
        ("name=Zoë".encode(), f"{FORM}; charset=utf-8"),
        ("name=Zoë".encode(), f'{FORM}; charset="UTF-8"; x="a;b"'),
        (b"\xef\xbb\xbfname=Zo%C3%AB", FORM),
        ("name=Zoë".encode("latin-1"), f"{FORM}; charset=ISO-8859-1"),
        (b"name=Zo%EB", f"{FORM}; charset=windows-1252"),
    ],
)
def test_a_form_may_hold_its_text_as_it_is(body: bytes, content_type: str) -> None:
    assert value(body, content_type) == {"name": "Zoë"}


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b'\xef\xbb\xbf{"a": 1}', "application/json", {"a": 1}),
        ('{"a": "ë"}'.encode("utf-16"), "application/json", {"a": "ë"}),
        ('{"a": "ë"}'.encode("latin-1"), "application/json; charset=iso-8859-1", {"a": "ë"}),
        (b"\xef\xbb\xbfa,b", "text/csv", "a,b"),
        ("ë".encode("shift_jis", "replace"), "text/plain; charset=Shift_JIS", "?"),
        ("€".encode("cp1252"), "text/plain; charset=windows-1252", "€"),
    ],
)
def test_text_is_read_in_its_charset_without_its_mark(body: bytes, content_type: str, expected: Any) -> None:
    assert value(body, content_type) == expected


@pytest.mark.parametrize("kind", ["text/plain", "application/json", FORM])
@pytest.mark.parametrize(
    ("charset", "words"),
    [
        ("bogus", "the charset 'bogus' is not known here"),
        ("unicode_escape", "the charset 'unicode_escape' is not known here"),
        ("utf-8", r"it is not text in utf-8 \(byte 0\)"),
        ("ascii", r"it is not text in ascii \(byte 0\)"),
    ],
)
def test_a_charset_that_is_not_known_or_not_kept_is_refused_with_words(kind: str, charset: str, words: str) -> None:
    with pytest.raises(BadBody, match=words):
        value(b"\xe4=1", f"{kind}; charset={charset}")


PACKED = {
    "gzip": gzip.compress(b'{"a"') + gzip.compress(b": 1}"),
    "x-gzip": gzip.compress(b'{"a": 1}'),
    "deflate": zlib.compress(b'{"a": 1}'),
    "Deflate": zlib.compress(b'{"a": 1}')[2:-4],
    "deflate, gzip": gzip.compress(zlib.compress(b'{"a": 1}')),
    "identity": b'{"a": 1}',
    "": b'{"a": 1}',
}


@pytest.mark.parametrize("coding", PACKED)
def test_a_packed_body_is_unpacked(coding: str) -> None:
    packed = packed_call(coding, PACKED[coding])
    assert unpacked(packed, 100).body == b'{"a": 1}'
    assert packed.body == PACKED[coding]


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "compress", "x" * 500, "gzip,gzip,gzip,gzip"])
def test_another_coding_is_refused_by_its_name(coding: str) -> None:
    with pytest.raises(UnsupportedMediaType) as caught:
        unpacked(packed_call(coding, b"x"), 100)
    named = next((each for each in ("br", "zstd", "compress", "xxx") if each in coding), "More than 3")
    assert named in str(caught.value)


def test_a_packed_body_is_bounded_by_what_it_unpacks_to() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(TooLarge):
        unpacked(packed_call("gzip", bomb), 1000)
    with pytest.raises(TooLarge):
        unpacked(packed_call("gzip", gzip.compress(b"12345") * 2), 9)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_not_packed_or_cut_off_is_refused(coding: str) -> None:
    for body in (b'{"a": 1}', PACKED[coding][:-6]):
        with pytest.raises(BadBody, match=f"not {coding}"):
            unpacked(packed_call(coding, body), 100)


def packed_call(coding: str, body: bytes) -> Call:
    headers = {"content-type": "application/json", "content-encoding": coding}
    return Call("POST", "/hooks/x", "", {}, headers, None, body)
