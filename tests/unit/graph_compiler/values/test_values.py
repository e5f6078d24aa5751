"""What may travel between nodes."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest
from hypothesis import given

from graph_compiler.values import values
from graph_compiler.values.errors import BadValue
from graph_compiler.values.values import as_json
from tests.unit.graph_compiler.language.test_loading import JSON_VALUES


@given(JSON_VALUES)
def test_json_stays_as_it_is(value: Any) -> None:
    assert as_json(value, "x") == value


def test_sequences_of_templates_become_lists() -> None:
    given_value = {"t": (1, 2), "r": range(2), "g": (n for n in "ab"), "k": {"x": 1}.keys(), "i": {"x": 1}.items()}
    assert as_json(given_value, "x") == {"t": [1, 2], "r": [0, 1], "g": ["a", "b"], "k": ["x"], "i": [["x", 1]]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "result: nan is not a JSON number"),
        ({"a": [0, float("inf")]}, "result.a[1]: inf is not a JSON number"),
        (2**64, "result: an integer of 65 bits; 64 are the limit"),
        ({"at": datetime.date(2020, 1, 31)}, "result.at: date is not a JSON value"),
        (decimal.Decimal("1.5"), "result: Decimal is not a JSON value"),
        ([{1}], "result[0]: set is not a JSON value"),
        ({1: 2}, "result: the key 1 is not text"),
        (["\ud800"], "result[0]: text with a lone surrogate cannot be written as UTF-8"),
    ],
)
def test_what_json_cannot_say_is_refused_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(BadValue) as raised:
        as_json(value, "result")
    assert raised.value.message == message


def test_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(BadValue, match="nested more than 100 levels deep"):
        as_json(value, "x")


def test_value_that_multiplies_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MAX_ITEMS", 1000)  # the real limit takes seconds to reach
    value: list[Any] = [1, 1]
    for _ in range(40):
        value = [value, value]
    with pytest.raises(BadValue, match="more than 1000 items"):
        as_json(value, "x")
