"""Stand-ins whose values JSON writes otherwise than ports have them."""

from __future__ import annotations

from typing import Any

from tests.unit.graph_compiler.documents import found


def of(body: Any) -> list[tuple[str, str]]:
    node = {"id": "a", "type": "csv.write", "config": {"path": "a.csv"}}
    loads = {"id": "b", "type": "python", "config": {"code": "def main() -> bytes:\n    return b''\n"}}
    return found(nodes=[node, loads], tests=[{"name": "t", "nodes": {"b": {"result": body}}}])


def test_bytes_are_given_as_the_object_that_stands_for_them() -> None:
    path = "/tests/0/nodes/b/result"
    assert [each for each in of({"$bytes": "YQ=="}) if each[1] == path] == []
    assert [each for each in of({"$bytes": "no base64"}) if each[1] == path] == [("bad_stand_in", path)]
