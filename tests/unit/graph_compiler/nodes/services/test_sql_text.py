"""Which colons of a statement are values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_compiler.nodes.services.sql_text import Bind, read_sql


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("select :d::date, :e::timestamp::text", {"d", "e"}),
        ("select cast(:d as date)", {"d"}),
        ("select 'opens 09:00 :daily'", set()),
        ("select 'it''s :a', :b", {"b"}),
        ("select E'it\\'s :a', :b", {"b"}),
        ("select 'ends with a backslash \\', :b", {"b"}),
        ('select ":a" from ":b" where x = :c', {"c"}),
        ("select `:a`, :b", {"b"}),
        ("select 1 -- :a\n, :b", {"b"}),
        ("select /* :a /* :b */ :c */ :d", {"d"}),
        ("select $$ :a $$, $x$ :b $$ :c $x$, :d", {"d"}),
        ("select price$a, :b", {"b"}),
        ("select data->>':a', data #>> '{x,:b}', data @> '{\"k\": \":c\"}', data->:d", {"d"}),
        ("select list[1:2], list[lo:hi], list[:i]", {"i"}),
        ("select list[1\\::n]", {"n"}),
        ("select f(x := :a)", {"a"}),
        ("select :a,:a_1,(:é)", {"a", "a_1", "é"}),
        ("select :1", set()),
        ("select ':a", set()),
        ("select /* :a", set()),
        ("", set()),
    ],
)
def test_values_are_named_outside_of_text(statement: str, names: set[str]) -> None:
    assert read_sql(statement).names == names


def test_place_of_a_value() -> None:
    assert read_sql("select ':x',\n  :b, :a").binds == (Bind("b", 2, 3), Bind("a", 2, 7))


@given(st.text(":ab'$*/-1 \n`"))
def test_all_text_reaches_the_database_as_it_was_written(statement: str) -> None:
    assert read_sql(statement).escaped.replace("\\:", ":") == statement
