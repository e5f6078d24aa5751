"""Bodies become values by their content type; what is not what it says is refused, never guessed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_core.errors import UnsupportedMediaType
from trigger_api.shared.multipart import Part
from trigger_api.webhooks.bodies import BadBody, kind_of, payload_of_form, value_of
from trigger_api.webhooks.call import Call

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
