"""What leaves a version's hash alone, and how it comes back."""

from __future__ import annotations

import json
from typing import Any

from graph_compiler.checking.validation import check
from graph_compiler.language.annotations import annotations_of, executed, whole
from tests.unit.graph_compiler.documents import document

TESTS = [{"name": "one", "nodes": {"a": {"value": 2}}}]


def test_documents_that_differ_in_tests_and_layout_alone_are_one_for_runs() -> None:
    variants: list[dict[str, Any]] = [{}, {"tests": TESTS}, {"tests": [], "layout": {"a": [1, 2]}}, {"layout": {}}]
    checked = [check(json.dumps(document(**parts))) for parts in variants]
    assert {(found.document, found.sha256) for found in checked} == {(checked[0].document, checked[0].sha256)}
    assert [found.annotations for found in checked] == [
        None,
        '{"tests":[{"name":"one","nodes":{"a":{"value":2}}}]}',
        '{"layout":{"a":[1,2]},"tests":[]}',
        '{"layout":{}}',
    ]


def test_a_stored_document_comes_back_as_it_was_saved() -> None:
    for parts in ({}, {"tests": TESTS, "layout": {"zoom": 1.5}}):
        data = document(**parts)
        assert whole(json.dumps(executed(data)), annotations_of(data)) == data
