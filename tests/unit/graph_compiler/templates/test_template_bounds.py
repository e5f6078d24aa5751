"""What one template may build."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2.exceptions import SecurityError

from graph_compiler.templates.template_bounds import (
    MAX_TEXT,
    MAX_WORK,
    Unbounded,
    bounding,
    charge,
    check_format,
    check_growth,
    spend,
    weigh,
    weighing,
    work,
)


def test_a_value_weighs_its_texts_and_a_little_for_each_part() -> None:
    assert weigh("abc") == 3 + 4
    assert weigh(["abc", {"k": b"12"}]) == 4 + 7 + 4 + 5 + 6


@pytest.mark.parametrize("value", ["x" * MAX_TEXT, ["y"] * (MAX_TEXT // 4), {"k": b"z" * MAX_TEXT}])
def test_what_weighs_too_much_is_refused(value: Any) -> None:
    with pytest.raises(Unbounded, match="more than 2000000 characters"):
        weigh(value)


def test_a_list_that_holds_itself_is_refused_and_does_not_hang() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(Unbounded):
        weigh(endless)


def test_the_budget_of_work_is_spent_by_what_is_done_and_by_the_size_of_what_is_looked_at() -> None:
    token = work.set(30)
    try:
        spend()
        charge(["a", "b"], {"k": "x" * 64})
        assert work.get() == 30 - 6 - 6 - 3 - 5
        with pytest.raises(Unbounded, match=f"more than {MAX_WORK} steps of work"):
            spend(11)
    finally:
        work.reset(token)


@pytest.mark.parametrize(
    ("operator", "left", "right"),
    [
        ("**", 2, 5_000),
        ("*", 2**4_000, 2**200),
        ("*", "ab", MAX_TEXT),
        ("*", MAX_TEXT + 1, [0]),
        ("+", "a" * MAX_TEXT, "b"),
    ],
)
def test_growth_beyond_the_limits_is_refused(operator: str, left: Any, right: Any) -> None:
    with pytest.raises(Unbounded, match="the result is too large"):
        check_growth(operator, left, right)


@pytest.mark.parametrize(
    ("operator", "left", "right"),
    [("**", 2, 10), ("**", 2, -9_999), ("*", "ab", -5), ("*", "ab", 1_000), ("+", [1], [2]), ("+", 1.5, 2)],
)
def test_growth_within_the_limits_is_not(operator: str, left: Any, right: Any) -> None:
    check_growth(operator, left, right)


@pytest.mark.parametrize("text", ["%99999d", "%*d", "%.99999f", "%(name)9999999999s"])
def test_a_wide_format_is_refused(text: str) -> None:
    with pytest.raises(Unbounded, match="a format wider than"):
        check_format(text)


def test_a_format_of_bytes_is_refused_and_a_narrow_one_is_not() -> None:
    with pytest.raises(SecurityError, match="bytes are no format"):
        check_format(b"%d")
    check_format("%10.2f of %(name)s")


def test_filters_are_not_called_with_too_much() -> None:
    called: list[Any] = []
    with pytest.raises(Unbounded):
        weighing(called.append)("x" * MAX_TEXT)
    with pytest.raises(Unbounded):
        bounding(lambda *given: called.append(given))([1], 1_000_000)
    assert called == []
