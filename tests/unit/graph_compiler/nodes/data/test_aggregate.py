"""`aggregate`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.documents import found
from tests.unit.graph_compiler.nodes.running import run

ITEMS = [
    {"kind": "b", "size": 3, "name": "x"},
    {"kind": "a", "size": 1, "name": "z"},
    {"kind": "b", "size": None, "name": "y"},
    {"kind": "b", "size": 4.5},
]
TOTALS = {
    "items": {"op": "count"},
    "sized": {"op": "count", "of": "size"},
    "sum": {"op": "sum", "of": "size"},
    "least": {"op": "min", "of": "size"},
    "last": {"op": "max", "of": "name"},
    "mean": {"op": "mean", "of": "size"},
}


def test_groups_come_in_order_with_their_totals() -> None:
    answer = run("aggregate", {"group_by": {"kind": "kind"}, "totals": TOTALS}, {"items": ITEMS})
    assert answer == {
        "groups": [
            {"kind": "b", "items": 3, "sized": 2, "sum": 7.5, "least": 3, "last": "y", "mean": 3.75},
            {"kind": "a", "items": 1, "sized": 1, "sum": 1, "least": 1, "last": "z", "mean": 1.0},
        ],
        "total": {"items": 4, "sized": 3, "sum": 8.5, "least": 1, "last": "z", "mean": 8.5 / 3},
    }


def test_without_keys_all_items_are_one_group_also_none() -> None:
    total = {"items": 0, "sized": 0, "sum": 0, "least": None, "last": None, "mean": None}
    assert run("aggregate", {"totals": TOTALS}, {"items": []}) == {"groups": [total], "total": total}


def test_keys_of_equal_json_are_one_group() -> None:
    config = {"group_by": {"key": "@"}, "totals": {"n": {"op": "count"}}}
    groups = run("aggregate", config, {"items": [{"a": 1, "b": 2}, {"b": 2, "a": 1}, None, True, 1]})["groups"]
    assert groups == [
        {"key": {"a": 1, "b": 2}, "n": 2},
        {"key": None, "n": 1},
        {"key": True, "n": 1},
        {"key": 1, "n": 1},
    ]


@pytest.mark.parametrize(
    ("op", "items", "message"),
    [
        ("sum", [1, "2"], "totals.t: sum of numbers met string in the item 1"),
        ("mean", [True], "totals.t: mean of numbers met boolean in the item 0"),
        ("max", ["a", 1], "totals.t: max of strings met number in the item 1"),
        ("min", [[1]], "totals.t: min of numbers met array in the item 0"),
        ("sum", [1.7e308, 1.7e308], "totals.t: the sum is beyond what a number can be"),
    ],
)
def test_value_that_does_not_fit_is_named(op: str, items: list[Any], message: str) -> None:
    with pytest.raises(NodeError) as raised:
        run("aggregate", {"totals": {"t": {"op": op}}}, {"items": items})
    assert (raised.value.kind, raised.value.message) == ("bad_value", message)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-(2**40), 2**40))))
def test_totals_of_groups_add_up_to_the_total(pairs: list[tuple[str, int]]) -> None:
    config = {
        "group_by": {"k": "k"},
        "totals": {"n": {"op": "count"}, "sum": {"op": "sum", "of": "v"}, "max": {"op": "max", "of": "v"}},
    }
    answer = run("aggregate", config, {"items": [{"k": key, "v": value} for key, value in pairs]})
    assert sum(group["n"] for group in answer["groups"]) == answer["total"]["n"] == len(pairs)
    assert sum(group["sum"] for group in answer["groups"]) == answer["total"]["sum"] == sum(v for _, v in pairs)
    assert max((group["max"] for group in answer["groups"]), default=None) == answer["total"]["max"]


def test_name_of_a_key_and_a_total_is_an_issue() -> None:
    config = {"group_by": {"a": "@"}, "totals": {"a": {"op": "count"}}}
    nodes = [
        {"id": "x", "type": "transform", "config": {"value": []}},
        {"id": "g", "type": "aggregate", "config": config},
    ]
    edges = [{"from": "x.value", "to": "g.items"}]
    assert found(nodes=nodes, edges=edges) == [("bad_value", "/nodes/1/config/totals/a")]
