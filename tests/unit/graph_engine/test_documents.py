"""The documents of tests/graphs that reach nothing outside, with the outputs and the story they must have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graph_compiler.loading import load
from graph_engine.limits import Limits
from tests.called_graphs import shelf
from tests.unit.graph_engine.execution import Execution, RealClock, execution

GRAPHS = Path(__file__).parents[2] / "graphs"
REACHING = {"csv_totals", "file_round_trip", "http_pages_and_auth", "http_request", "http_upload", "parquet_and_back",
            "shell_sort", "sql_select_and_insert", "tell_the_world", "webhooks"}  # fmt: skip
STEMS = sorted(path.stem for path in (GRAPHS / "expected").glob("*.json"))


def executed(stem: str, expected: dict[str, Any]) -> Execution:
    (path,) = (GRAPHS / "valid").glob(f"{stem}.*")
    document: Any = load(path.read_bytes()).data
    given, secrets = expected.pop("params", {}), expected.pop("secrets", {})
    timeout = document.get("settings", {}).get("timeout")
    limits = Limits(max_parallel=1, timeout=None if timeout is None else float(timeout.removesuffix("s")))
    return execution(
        document, params=given, library=shelf(), clock=RealClock(), limits=limits, secrets=secrets
    ).run()


@pytest.mark.parametrize("stem", STEMS)
def test_document_answers_and_tells_what_it_must(stem: str) -> None:
    expected = json.loads((GRAPHS / "expected" / f"{stem}.json").read_text())
    done = executed(stem, expected)
    found = {"status": done.ended.status, "error": done.ended.error, "outputs": done.ended.outputs}
    assert {**found, "events": done.story()} == expected
