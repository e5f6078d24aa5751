"""Bytes, and the objects that stand for them where JSON is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from definitions.sandbox import call as code_call
from graph_compiler.templates.templates import render
from graph_compiler.values import binary
from graph_compiler.values.errors import BadValue, TemplateFailed
from graph_compiler.values.values import as_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(codec="utf-8")) | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=20,
)


@given(VALUES)
def test_value_is_the_same_before_it_is_written_and_after(value: Any) -> None:
    assert binary.loads(binary.dumps(value)) == value
    assert as_json(json.loads(binary.dumps(value)), "x") == value
    assert code_call.decode(code_call.encode(value, 10**6)) == value


def test_bytes_are_written_as_an_object_of_one_key() -> None:
    assert binary.dumps({"a": b"\x00\xff"}) == '{"a": {"$bytes": "AP8="}}'
    assert binary.as_plain([b""]) == [{"$bytes": ""}]
    assert code_call.BYTES == binary.MARK


@pytest.mark.parametrize("value", [{"$bytes": 5}, {"$bytes": "AP8=", "more": 1}, {"a": "$bytes"}])
def test_other_objects_stay_objects(value: dict[str, Any]) -> None:
    assert as_json(value, "x") == value
    assert binary.loads(json.dumps(value)) == value


def test_object_that_holds_no_base64_is_refused() -> None:
    with pytest.raises(BadValue, match=r"x\.a: an object of the one key \$bytes holds base64"):
        as_json({"a": {"$bytes": "no base64!"}}, "x")


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ b }}", b"\x00hi"),
        ("{{ [b, b | length] }}", [b"\x00hi", 3]),
        ("{{ b | to_base64 }}", "AGhp"),
        ("{{ 'AGhp' | from_base64 }}", b"\x00hi"),
        ("{{ 'hé' | to_bytes }}", "hé".encode()),
        ("{{ ('hé' | to_bytes) | to_text }}", "hé"),
        ("{{ b + b }}", b"\x00hi\x00hi"),
        ("{{ b == other }}", False),
        ("<{{ b }}>", '<{"$bytes": "AGhp"}>'),
        ({"$bytes": "AGhp"}, b"\x00hi"),
        ({"$bytes": "{{ b | to_base64 }}"}, b"\x00hi"),
    ],
)
def test_templates_see_bytes(template: Any, value: Any) -> None:
    assert render(template, {"b": b"\x00hi", "other": b"x"}) == value


@pytest.mark.parametrize(
    "template",
    ["{{ b.decode() }}", "{{ b.ljust(10) }}", "{{ b % 5 }}", "{{ b * 1000000 }}", "{{ 'x' | to_text }}",
     "{{ 5 | to_bytes }}", "{{ '?' | from_base64 }}", "{{ f | to_text }}"],
)  # fmt: skip
def test_bytes_have_no_methods_and_do_not_grow(template: str) -> None:
    with pytest.raises(TemplateFailed):
        render(template, {"b": b"\x00hi", "f": b"\xff"})
