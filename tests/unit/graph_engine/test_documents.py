"""The documents of tests/graphs that reach nothing outside, with the outputs and the story they must have.

Two things differ from Dagster's steps, and so in the order of events only: ready nodes of a called graph begin by
name and before others, and its `finally` nodes run at the end of the call; a `foreach` that needs no item ends at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graph_compiler.language.loading import load
from graph_compiler.values.binary import as_plain
from tests.called_graphs import shelf
from tests.unit.graph_engine.execution import Execution, RealClock, execution

GRAPHS = Path(__file__).parents[2] / "graphs"
REACHING = {
    "bytes_between_nodes",
    "csv_totals",
    "file_round_trip",
    "http_pages_and_auth",
    "http_request",
    "http_upload",
    "parquet_and_back",
    "shell_sort",
    "sql_select_and_insert",
    "tell_the_world",
    "webhooks",
}
IN_THE_SANDBOX = {"foreach_collect", "node_timeout", "on_error_route", "retry_kinds"}
"""They tell how code failed in another process."""
REORDERED = {
    "call_finally",
    "call_foreach",
    "call_in_call",
    "call_route",
    "call_skipped",
    "foreach_empty",
    "foreach_route",
}
STEMS = sorted({path.stem for path in (GRAPHS / "expected").glob("*.json")} - REACHING - IN_THE_SANDBOX)


def executed(stem: str, expected: dict[str, Any]) -> Execution:
    (path,) = (GRAPHS / "valid").glob(f"{stem}.*")
    document: Any = load(path.read_bytes()).data
    params = expected.pop("params", {})
    return execution(document, params=params, library=shelf(), clock=RealClock(), max_parallel=1).run()


def answered(done: Execution) -> dict[str, Any]:
    outputs = None if done.ended.outputs is None else as_plain(dict(done.ended.outputs))
    return {"status": done.ended.status, "error": done.ended.error, "outputs": outputs, "events": done.story()}


@pytest.mark.parametrize("stem", STEMS)
def test_document_answers_and_tells_what_it_must(stem: str) -> None:
    expected = json.loads((GRAPHS / "expected" / f"{stem}.json").read_text())
    found = answered(executed(stem, expected))
    if stem in REORDERED:
        assert found["events"] != expected["events"]
        found["events"], expected["events"] = sorted(found["events"]), sorted(expected["events"])
    assert found == expected
