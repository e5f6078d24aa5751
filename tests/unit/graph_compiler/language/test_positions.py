"""Places of values and of what is inside them."""

from __future__ import annotations

import pytest

from graph_compiler.language.loading import load


def test_value_key_and_missing_value_have_places() -> None:
    positions = load('{\n  "a": [1,\n   2]}').positions
    assert positions.of("/a/1") == (3, 4)
    assert positions.of_key("/a") == (2, 3)
    assert positions.of("/a") == (2, 8)
    assert positions.of("/a/1/nothing/there") == (3, 4)
    assert positions.of_key("/a/1") == (3, 4)


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ('{"a": "xy{{"}', (1, 3), (1, 10)),
        ('{"a": "x\\n\\u00e9\\"{{"}', (2, 3), (1, 19)),
        ("a: xy{{", (1, 3), (1, 6)),
        ("a: 'xy{{'", (1, 3), (1, 7)),
        ('a: "x\\ny{{"', (2, 2), (1, 9)),
        ("a: |\n  one\n    two {{\n", (2, 7), (3, 9)),
        ("a: |-\n\n  one\n", (2, 2), (3, 4)),
        ("a: >\n  one\n", (1, 2), (2, 4)),
        ("a: 'x\n\n  y'", (2, 1), (1, 4)),
        ("a: 3", (1, 1), (1, 4)),
    ],
)
def test_place_inside_a_text_is_found_in_every_style(
    text: str, place: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert load(text).positions.inside("/a", *place) == expected
