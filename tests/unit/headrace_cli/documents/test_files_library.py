"""Called graphs that are read from files."""

from __future__ import annotations

import pytest

from graph_compiler.checking.validation import check
from graph_compiler.values.canonical import content_hash
from headrace_cli.documents.files_library import FilesLibrary
from headrace_cli.documents.sources import Source
from headrace_cli.terminal.errors import CommandError

ADD = b"""
spec_version: 1
name: add
params: { type: object, properties: { n: { type: integer } }, required: [n] }
nodes: [{ id: sum, type: transform, config: { value: "{{ params.n + 1 }}" } }]
outputs: { sum: "{{ nodes.sum.value }}" }
"""


def library(*documents: bytes) -> FilesLibrary:
    known = FilesLibrary()
    for document in documents:
        known.add(Source("some.yaml", document, "yaml"))
    return known


def caller(graph: str, params: str) -> str:
    node = f"{{ id: call, type: graph, config: {{ graph: {graph}, params: {params} }} }}"
    return f"spec_version: 1\nname: caller\nnodes: [{node}]\n"


def test_a_file_is_every_version_of_its_graph() -> None:
    known = library(ADD)
    document = known.document("add", 1, None)
    assert document is not None
    assert known.latest("add") == 1
    assert known.document("add", 7, None) == document
    assert known.document("add", 7, content_hash(document)) == document
    assert known.document("add", 7, "0" * 64) is None


def test_the_syntax_and_order_of_a_file_do_not_matter() -> None:
    json = b'{"nodes": [{"type": "transform", "id": "a", "config": {"value": 1}}], "name": "one", "spec_version": 1}'
    yaml = b"name: one\nspec_version: 1\nnodes:\n  - { id: a, type: transform, config: { value: 1 } }\n"
    assert library(json).document("one", 1, None) == library(yaml).document("one", 1, None)


def test_the_last_file_of_a_name_holds() -> None:
    known = library(ADD, ADD.replace(b"+ 1", b"+ 2"))
    document = known.document("add", 1, None)
    assert document is not None
    assert "params.n + 2" in document


def test_what_is_not_in_a_file_may_be_on_the_server() -> None:
    known = library(ADD)
    assert known.is_complete is False
    assert (known.latest("other"), known.document("other", 1, None)) == (None, None)
    checked = check(caller("other", "{}"), syntax="yaml", library=known)
    assert checked.issues == ()
    assert [note.path for note in checked.notes] == ["/nodes/0/config/graph"]


def test_calls_of_a_graph_in_a_file_are_checked() -> None:
    known = library(ADD)
    assert check(caller("add", "{ n: 4 }"), syntax="yaml", library=known).issues == ()
    wrong = check(caller("add", "{ n: four }"), syntax="yaml", library=known)
    assert [issue.path for issue in wrong.issues] == ["/nodes/0/config/params/n"]


@pytest.mark.parametrize("document", [b"[1, 2]", b"spec_version: 1", b"name: 5", b"name: [", b"\xff\xfe\x00"])
def test_a_file_that_names_no_graph_is_refused_by_its_name(document: bytes) -> None:
    with pytest.raises(CommandError, match=r"^some\.yaml is no graph document with a name\.$") as refused:
        library(document)
    assert refused.value.hint == "See `headrace validate some.yaml`."
