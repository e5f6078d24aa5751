"""Calls of graphs as validation sees them; tests/graphs has a document for each issue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graph_compiler.checking.validation import Checked, check
from graph_compiler.values.canonical import canonical_json, content_hash
from tests.unit.graph_compiler.documents import document, edge, node

PARAMS = {"type": "object", "properties": {"n": {"type": "integer"}, "any": {}, "t": {"type": ["string", "null"]}}}


class Library:
    """Each document in version 1; `is_complete` as a server's, unless told otherwise."""

    def __init__(self, *documents: dict[str, Any], is_complete: bool = True) -> None:
        self.is_complete = is_complete
        self._documents = {document["name"]: canonical_json(document) for document in documents}

    def latest(self, name: str) -> int | None:
        return 1 if name in self._documents else None

    def document(self, name: str, version: int, sha256: str | None) -> str | None:
        return self._documents.get(name) if version == 1 else None


CALLED = document(name="called", params=PARAMS, outputs={"out": "{{ nodes.a.value }}"})


def checked(given: Any, *nodes: Any, edges: Any = (), library: Library | None = None, **parts: Any) -> Checked:
    call = {"id": "call", "type": "graph", "config": {"graph": "called", "params": given}}
    data = document(nodes=[call, *nodes], edges=list(edges), **parts)
    return check(json.dumps(data), library=library or Library(CALLED))


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"n": "{{ inputs.text }}"}, ["n"]),
        ({"n": "{{ inputs.whole }}", "any": "{{ inputs.text }}"}, []),
        ({"n": "{{ inputs.unknown }}"}, []),
        ({"n": "{{ params.text }}", "t": "{{ params.whole }}"}, ["n", "t"]),
        ({"n": "{{ params.whole }}", "t": "{{ params.text }}"}, []),
        ({"n": "{{ run.id }}", "t": "{{ run.id }} {{ run.graph }}"}, []),
        ({"n": "{{ run.id }}-1"}, ["n"]),
        ({"n": "{% if true %}1{% endif %}"}, []),
        ("{{ inputs.unknown }}", []),
    ],
)
def test_templates_are_held_against_the_called_graph_as_far_as_their_type_is_known(
    given: Any, wrong: list[str]
) -> None:
    code = "def main() -> {}: return {}"
    nodes = [
        {"id": "text", "type": "python", "config": {"code": code.format("str", "''")}},
        {"id": "whole", "type": "python", "config": {"code": code.format("int", "1")}},
        node("unknown"),
    ]
    used = [name for name in ("text", "whole", "unknown") if f"inputs.{name}" in json.dumps(given)]
    edges = [edge(f"{name}.{'value' if name == 'unknown' else 'result'}", f"call.{name}") for name in used]
    own = {"type": "object", "properties": {"text": {"type": "string"}, "whole": {"type": "integer"}}}
    found = checked(given, *nodes, edges=edges, params=own)
    assert [(issue.code, issue.path) for issue in found.issues] == [
        ("bad_param", f"/nodes/0/config/params/{name}") for name in wrong
    ]


def test_the_canonical_document_says_exactly_what_is_called() -> None:
    found = checked({})
    sha256 = content_hash(canonical_json(CALLED))
    assert found.spec is not None
    assert found.spec.nodes[0].config == {"graph": "called", "params": {}, "version": 1, "sha256": sha256}
    assert json.loads(found.document or "")["nodes"][0]["config"] == found.spec.nodes[0].config
    assert check(found.document or "", library=Library(CALLED)) == found


def test_nothing_is_said_of_ports_and_params_of_a_graph_that_is_not_known() -> None:
    used = node("b", "{{ inputs.x }}")
    found = checked({"no": 1}, used, edges=[edge("call.no", "b.x")], library=Library(is_complete=False))
    assert found.issues == ()
    assert [(note.code, note.path) for note in found.notes] == [("note", "/nodes/0/config/graph")]
    assert found.spec is not None


def test_nodes_of_all_called_graphs_together_are_limited() -> None:
    large = document(name="called", nodes=[node(f"n{index}") for index in range(2500)])
    again = {"id": "again", "type": "graph", "config": {"graph": "called"}}
    found = checked({}, again, library=Library(large))
    assert [(issue.code, issue.path) for issue in found.issues] == [("call_limit", "/nodes/1/config/graph")]
    assert checked({}, library=Library(large)).issues == ()


def test_files_that_call_each_other_are_found_to() -> None:
    def calls(name: str, other: str) -> dict[str, Any]:
        return document(name=name, nodes=[{"id": "call", "type": "graph", "config": {"graph": other}}])

    library = Library(calls("one", "two"), calls("two", "one"), is_complete=False)
    found = check(json.dumps(calls("one", "two")), library=library)
    assert [issue.code for issue in found.issues] == ["recursive_graph"]
