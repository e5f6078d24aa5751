"""One suite over both runtimes of a node: the shipped fake, and the real one on PostgreSQL, threads and processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graph_compiler.checking.validation import check
from graph_compiler.language import params
from graph_compiler.language.spec import GraphSpec
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.binary import as_plain
from graph_engine.testing.memory_run import run_in_memory
from tests.called_graphs import shelf
from tests.integration.definitions.site import Site

VALID = Path(__file__).parents[1] / "graphs" / "valid"
# What the fake does not claim to do; test_documents and test_http_client have these on the real one.
BEYOND_THE_FAKE = {
    "http_request": "reaches another host",
    "node_timeout": "stops code",
    "run_timeout": "stops code",
    "bytes_foreach": "says the line at which code raised",
    "foreach_collect": "says the line at which code raised",
    "on_error_route": "says the line at which code raised",
    "file_round_trip": "names a file by the run",
    "bytes_between_nodes": "runs a shell script",
}
SHARED = sorted(path for path in VALID.iterdir() if path.stem not in BEYOND_THE_FAKE)
GIVEN: dict[str, dict[str, Any]] = {"webhook": {"action": "opened"}, "for_one_item": {"ids": [7]}}

Execute = Callable[[str, dict[str, Any]], tuple[str, Any]]
"""Executes a document's text with params; the run's status and its outputs."""

MISSING = {
    "spec_version": 1,
    "name": "asks-for-a-secret",
    "nodes": [{"id": "call", "type": "http.request", "config": {"url": "http://127.0.0.1:9/{{ secrets.nobody }}"}}],
}
RAISES = {
    "spec_version": 1,
    "name": "raises",
    "nodes": [{"id": "code", "type": "python", "config": {"code": "def main():\n    raise KeyError('here')\n"}}],
}


def on_the_fake(text: str, given: dict[str, Any]) -> tuple[str, Any]:
    document = check(text, library=shelf()).document
    assert document is not None
    spec = GraphSpec.model_validate_json(document)
    applied, issues = params.apply(spec, given)
    assert issues == []
    ended = run_in_memory(spec, MemoryRuntime(params=applied), library=shelf())
    return ended.status, None if ended.outputs is None else as_plain(dict(ended.outputs))


@pytest.fixture(params=["fake", "real"])
def execute(request: pytest.FixtureRequest) -> Execute:
    if request.param == "fake":
        return on_the_fake
    site: Site = request.getfixturevalue("site")

    def on_the_real(text: str, given: dict[str, Any]) -> tuple[str, Any]:
        site.save_called()
        checked = check(text, library=shelf())
        assert checked.spec is not None
        assert checked.document is not None
        applied, _ = params.apply(checked.spec, given)
        run = site.run(site.execute(json.loads(checked.document), applied))
        return run.status, run.outputs

    return on_the_real


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.stem)
def test_a_valid_document_has_the_same_outputs_on_both(path: Path, execute: Execute) -> None:
    text, given = path.read_text(), GIVEN.get(path.stem, {})
    status, outputs = execute(text, given)
    expected_status, expected = on_the_fake(text, given)
    if "run" in (expected or {}):  # the one thing that differs on purpose is the run itself
        expected, outputs = ({key: value for key, value in o.items() if key != "run"} for o in (expected, outputs))
    assert (status, outputs) == (expected_status, expected)


@pytest.mark.parametrize("document", [MISSING, RAISES], ids=lambda document: str(document["name"]))
def test_a_node_that_fails_fails_the_run_on_both(document: dict[str, Any], execute: Execute) -> None:
    assert execute(json.dumps(document), {}) == ("FAILURE", None)
