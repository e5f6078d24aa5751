"""JMESPath expressions: what they find, where they are wrong, and that none works without end."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.templates.queries import BadQuery, read_query
from graph_compiler.values.errors import NodeError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.b", 1),
        ("missing", None),
        ("rows[?size > `1`].name", ["y"]),
        ("rows[].{n: name, s: size}", [{"n": "x", "s": 1}, {"n": "y", "s": 2}]),
        ("sum(rows[].size)", 3),
        ("join('-', rows[].name)", "x-y"),
        ("to_string(a)", '{"b":1}'),
        ("sort_by(rows, &name)[-1].name", "y"),
        ('a == `{"b": 1}`', True),
    ],
)
def test_expression_finds(text: str, found: Any) -> None:
    data = {"a": {"b": 1}, "rows": [{"name": "x", "size": 1}, {"name": "y", "size": 2}]}
    assert read_query(text).of(data) == found


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("", "the expression is empty", 1),
        ("rows[0", "the expression ends too early", 7),
        ("a b", "`b` is not expected here", 3),
        ("a.#", "Unknown token", 3),
        ("nothing(a)", "there is no function `nothing`", 1),
        ("a" * 5001, "an expression of 5001 characters; 5000 are the limit", 1),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(text: str, message: str, column: int) -> None:
    with pytest.raises(BadQuery) as raised:
        read_query(text)
    assert message in str(raised.value)
    assert raised.value.column == column


@pytest.mark.parametrize(
    "text",
    [
        "[@,@][] | " * 60 + "@",
        "[@,@] | " * 60 + "to_string(@)",
        "[@,@] | " * 60 + "@",
        "{a: @, b: @} | " * 60 + "@",
        "join(to_string(@), keys(@))",
    ],
)
def test_expression_that_would_grow_without_measure_is_stopped(text: str) -> None:
    with pytest.raises(NodeError) as raised:
        read_query(text).of({str(number): "x" * 100 for number in range(1000)})
    assert raised.value.kind == "query_too_large"


@pytest.mark.parametrize("text", ["sum(@)", "sort_by(@, &k)", "abs('x')", "length(`1`)", "max_by(@, &k)"])
def test_expression_that_does_not_fit_its_value_fails_with_its_text(text: str) -> None:
    with pytest.raises(NodeError) as raised:
        read_query(text).of([{"k": 1}, {"k": "a"}])
    assert (raised.value.kind, raised.value.retryable) == ("query_error", False)
    assert raised.value.message.startswith(text)
