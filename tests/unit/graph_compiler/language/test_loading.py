"""Loading: the same data from JSON and YAML, and limits that are issues."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graph_compiler.language.loading import Syntax, load
from graph_compiler.language.reading import MAX_VALUES

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(TEXT, children, max_size=4),
    max_leaves=20,
)


def found(source: bytes | str, syntax: Syntax | None = None) -> list[tuple[str, str, int | None, int | None]]:
    return [(issue.code, issue.path, issue.line, issue.column) for issue in load(source, syntax=syntax).issues]


@given(JSON_VALUES)
def test_json_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False)):
        loaded = load(text, syntax="json")
        assert (loaded.data, loaded.issues) == (value, ())


@given(JSON_VALUES)
def test_json_is_yaml_but_for_escaped_surrogate_pairs(value: Any) -> None:
    text = json.dumps(value)
    assume("\\ud" not in text)
    loaded = load(text, syntax="yaml")
    assert (loaded.data, loaded.issues) == (value, ())


@given(st.binary(max_size=200))
def test_no_bytes_make_loading_raise(source: bytes) -> None:
    assert load(source, syntax="json").data is None or source
    assert load(source, syntax="yaml").data is None or source


@given(st.text(st.sampled_from("{}[]:,-\"'&*!|>#%@ \n0123abtrue\\"), max_size=60))
def test_no_punctuation_makes_loading_raise(source: str) -> None:
    assert load(source, syntax="yaml").positions.text in (source, "")
    assert load(source, syntax="json").positions.text in (source, "")


def test_syntax_is_told_by_the_first_character() -> None:
    assert load("\ufeff {}").data == {}
    assert load('{"a": 1,}').issues[0].message == "expected a key in double quotes"
    assert load("a: 1").data == {"a": 1}


def test_bytes_beyond_the_limit_are_one_issue() -> None:
    assert found(b" " * 2_097_152) == [("too_large", "", 1, 1)]
    assert load(b"{}", max_bytes=2).issues == ()


@pytest.mark.parametrize("text", ["[" + "0," * MAX_VALUES + "0]", "- 0\n" * (MAX_VALUES + 1)], ids=["json", "yaml"])
def test_values_beyond_the_limit_are_one_issue(text: str) -> None:
    assert [issue.code for issue in load(text, max_bytes=2**24).issues] == ["too_large"]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_ten_thousand_levels_are_one_located_issue(opening: str) -> None:
    assert found(opening * 10_000) == [("too_deep", "", 1, 64 * len(opening) + 1)]
    assert found("a: " + opening * 10_000) == [("too_deep", "", 1, 63 * len(opening) + 4)]
    assert found("- " * 10_000) == [("too_deep", "", 1, 129)]


def test_aliases_cannot_go_deeper_than_the_limit() -> None:
    text = "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40
    assert found(text, "yaml") == [("too_deep", "", 2, 44)]


def test_aliases_that_multiply_are_one_issue() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))
    assert [issue.code for issue in load(bomb).issues] == ["alias_expansion"]


def test_used_alias_is_the_anchored_value() -> None:
    assert load("a: &x {b: [1]}\nc: *x\n&k d: *x\n*k : 1").issues[0].code == "duplicate_key"
    assert load("a: &x {b: [1]}\nc: *x").data == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_duplicate_key_keeps_the_first_and_reports_each_other() -> None:
    loaded = load('{"a": 1, "b": {"c": 1,\n "c": [2]}, "a": 3}')
    assert loaded.data == {"a": 1, "b": {"c": 1}}
    assert [(i.code, i.path, i.line, i.column) for i in loaded.issues] == [
        ("duplicate_key", "/b/c", 2, 2),
        ("duplicate_key", "/a", 2, 13),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2020-01-31", "2020-01-31"),
        ("2020-01-31T10:00:00Z", "2020-01-31T10:00:00Z"),
        ("no", "no"),
        ("on", "on"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("0o17", 15),
        ("017", 17),
        ("-0x1f", "-0x1f"),
        ("True", True),
        ("NULL", None),
        (".5", 0.5),
        ("!!str 12", "12"),
        ("!!float 1", 1.0),
        ("! 12", "12"),
        ('"12"', "12"),
        ("|\n  12\n", "12\n"),
        ("", None),
    ],
)
def test_yaml_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    loaded = load(f"a: {text}", syntax="yaml")
    assert (loaded.data, loaded.issues) == ({"a": value}, ())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("!!timestamp 2020-01-31", "unsupported_yaml"),
        ("!!binary aGk=", "unsupported_yaml"),
        ("!!set {a, b}", "unsupported_yaml"),
        ("!!int x", "unsupported_yaml"),
        ("!!map [1]", "unsupported_yaml"),
        ("!own 1", "unsupported_yaml"),
        ("{ ? [1] : 2 }", "unsupported_yaml"),
        ("{ 1: 2 }", "unsupported_yaml"),
        ("{ <<: {} }", "unsupported_yaml"),
        ("&a [*a]", "alias_expansion"),
        ("*a", "bad_syntax"),
        ("[1", "bad_syntax"),
        ("\t- x: [", "bad_syntax"),
        (".nan", "bad_number"),
        ("-.inf", "bad_number"),
        ("9" * 5000, "bad_number"),
    ],
)
def test_what_json_cannot_say_is_an_issue(text: str, code: str) -> None:
    assert [issue.code for issue in load(f"a: {text}", syntax="yaml").issues] == [code]


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ('{"a" 1}', "expected `:` after the key `a`", 6),
        ("{a: 1}", "expected a key in double quotes", 2),
        ("[1 2]", "expected `,` or `]`, found `2`", 4),
        ("[1", "expected `,` or `]`, found the end of the text", 3),
        ("[", "expected a value, found the end of the text", 2),
        ("[tru]", "expected a value, found `tru`", 2),
        ("[01]", "expected `,` or `]`, found `1`", 3),
        ("[+1]", "expected a value, found `+`", 2),
        ('["a]', "unterminated string starting at", 2),
        ('["\\x"]', "invalid \\escape", 3),
        ("[1] 2", "more text after the end of the document", 5),
        ("", "expected a value, found the end of the text", 1),
    ],
)
def test_json_syntax_issue_says_what_was_expected_and_where(text: str, message: str, column: int) -> None:
    (issue,) = load(text, syntax="json").issues
    assert (issue.code, issue.message.rstrip(":").removesuffix(": "), issue.column) == ("bad_syntax", message, column)


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": 18446744073709551616}'])
def test_number_that_is_none_is_an_issue_and_reading_goes_on(text: str) -> None:
    loaded = load(text)
    assert (loaded.data, [(i.code, i.path) for i in loaded.issues]) == ({"a": None}, [("bad_number", "/a")])


def test_control_characters_in_yaml_are_located_by_character() -> None:
    assert found("a: é\x01", "yaml") == [("bad_syntax", "", 1, 5)]
    assert found("# ééé\na: \x7f", "yaml")[0][:1] == ("bad_syntax",)


def test_not_utf8_is_located() -> None:
    assert found(b"a: 1\nb: \xc3\xa9\xff") == [("not_utf8", "", 2, 5)]
    assert found('{"a": "\udc80"}') == [("not_utf8", "", 1, 8)]
