"""What two documents differ in."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.values.difference import Difference, differences


def doc(**changes: Any) -> dict[str, Any]:
    nodes = [{"id": "a", "config": {"value": 1}}, {"id": "b", "config": {"code": "x = 1\ny = 2\nz = 3\n"}}]
    return {"name": "mill", "nodes": nodes, "edges": [{"from": "a.value", "to": "b.x"}], **changes}


def test_equal_documents_have_no_difference() -> None:
    assert differences(doc(), doc()) == []


def test_nodes_are_compared_by_id_and_texts_by_line() -> None:
    nodes = [{"id": "c"}, {"id": "b", "config": {"code": "x = 1\ny = 5\nz = 3\n"}}, {"id": "a", "config": {"value": 1}}]
    assert differences(doc(), doc(nodes=nodes, edges=[{"from": "c.value", "to": "b.x"}])) == [
        Difference("added", "/nodes/0", "nodes[c]", after={"id": "c"}),
        Difference(
            "changed",
            "/nodes/1/config/code",
            "nodes[b].config.code",
            "x = 1\ny = 2\nz = 3\n",
            "x = 1\ny = 5\nz = 3\n",
            ("@@ -1,3 +1,3 @@", " x = 1", "-y = 2", "+y = 5", " z = 3"),
        ),
        Difference("reordered", "/nodes", "nodes", ["a", "b"], ["b", "a"]),
        Difference("added", "/edges/0", "edges[c.value -> b.x]", after={"from": "c.value", "to": "b.x"}),
        Difference("removed", "/edges/0", "edges[a.value -> b.x]", before={"from": "a.value", "to": "b.x"}),
    ]


def test_keys_are_added_and_removed_with_pointers_that_are_escaped() -> None:
    assert differences(doc(outputs={"a/b": 1}), doc(outputs={"c~d": 1}, params={})) == [
        Difference("added", "/outputs/c~0d", "outputs.c~d", after=1),
        Difference("removed", "/outputs/a~1b", "outputs.a/b", before=1),
        Difference("added", "/params", "params", after={}),
    ]


@pytest.mark.parametrize(("older", "newer"), [(1, True), (1, 1.0), ([1], [True]), ({"a": 0}, [0]), (None, "")])
def test_values_differ_as_json_does(older: Any, newer: Any) -> None:
    assert [(each.kind, each.before, each.after) for each in differences({"x": older}, {"x": newer})] == [
        ("changed", older, newer)
    ]


def test_nodes_without_ids_of_their_own_are_compared_as_a_whole() -> None:
    older, newer = doc(nodes=[{"id": "a"}, {"id": "a"}]), doc(nodes=[{"id": "a"}])
    assert [(each.kind, each.place) for each in differences(older, newer)] == [("changed", "nodes")]


def test_tests_are_compared_by_name() -> None:
    older = {"tests": [{"name": "a", "params": {"n": 1}}, {"name": "b"}]}
    newer = {"tests": [{"name": "c"}, {"name": "a", "params": {"n": 2}}]}
    assert [(each.kind, each.path, each.place) for each in differences(older, newer)] == [
        ("added", "/tests/0", "tests[c]"),
        ("changed", "/tests/1/params/n", "tests[a].params.n"),
        ("removed", "/tests/1", "tests[b]"),
    ]
