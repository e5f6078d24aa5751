"""Patterns of users: what RE2 matches, what it refuses, and that no text makes one explode."""

from __future__ import annotations

import pytest

from graph_compiler.values.patterns import MAX_LENGTH, BadPattern, compiled, matches


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a+", "baab", True),
        ("^[a-z]+$", "abc", True),
        ("^[a-z]+$", "abc\n", False),
        ("^ü$", "ü", True),
        (r"^\u00fc\\u$", "ü\\u", True),
        (r"^\p{L}+$", "größe", True),
        (r"^\d+$", "٣", False),
        ("x", "\ud800", False),
    ],
)
def test_a_pattern_is_found_anywhere_in_the_text(pattern: str, text: str, found: bool) -> None:
    assert matches(pattern, text) is found


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"^(a|a)*$", r"^(a|aa)+$", r"(.*)*x$", r"^(\w+\s?)*$", "(x+x+)+y"])
def test_patterns_that_backtrack_for_ever_elsewhere_end_here(pattern: str) -> None:
    assert not matches(pattern, "a" * 100_000 + "!\n")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?=a)b", "invalid perl operator: (?="),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("[", "missing ]: ["),
        ("(a{1000}){1000}", "invalid repetition size"),
        ("((((((((((a{9}){9}){9}){9}){9}){9}){9}){9}){9}){9})", "invalid repetition size"),
        ("a" * (MAX_LENGTH + 1), f"a pattern may have {MAX_LENGTH} characters"),
    ],
)
def test_what_re2_does_not_know_is_refused_with_the_reason(pattern: str, said: str) -> None:
    with pytest.raises(BadPattern) as caught:
        compiled(pattern)
    assert str(caught.value).startswith(said)
