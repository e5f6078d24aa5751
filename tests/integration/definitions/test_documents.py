"""The documents of tests/graphs run as installations run them, with the outputs and the story they must have.

One node at a time (`max_parallel`), so that the story has one order. tests/graphs/expected says what is expected.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from graph_compiler import params
from graph_compiler.loading import load
from graph_compiler.tags import MAX_NODES_TAG
from graph_compiler.validation import check
from platform_core.run_event_store import RunEvent
from tests.called_graphs import shelf
from tests.integration.definitions.site import Site

GRAPHS = Path(__file__).parents[2] / "graphs"
EXPECTED = sorted((GRAPHS / "expected").glob("*.json"))


def document_of(stem: str) -> Mapping[str, Any]:
    (path,) = (GRAPHS / "valid").glob(f"{stem}.*")
    data: Mapping[str, Any] = load(path.read_bytes()).data
    return data


def told(event: RunEvent) -> str:
    """`node.output row[2] value=3`: an event without what differs from run to run."""
    place = "" if event.node is None else f" {event.node}" + ("" if event.item is None else f"[{event.item}]")
    if event.type == "node.output":
        return f"{event.type}{place} {event.data['port']}={json.dumps(event.data['value'])}"
    if event.type in ("node.failed", "node.retrying"):
        return f"{event.type}{place} {event.data['kind']} {event.data['attempts']}"
    return event.type + place


def happened(site: Site, stem: str) -> dict[str, Any]:
    """What a run of the document answers and tells."""
    data = document_of(stem)
    if any(node["type"] == "graph" for node in data["nodes"]):
        site.save_called()
    checked = check(json.dumps(data), syntax="json", library=shelf())
    assert checked.issues == ()
    assert checked.spec is not None
    applied, _ = params.apply(checked.spec, {})
    run_id = site.launch(dict(data), applied, tags={MAX_NODES_TAG: "1"})
    site.execute_launched(run_id)
    run = site.run(run_id)
    return {
        "status": run.status,
        "error": run.error,
        "outputs": run.outputs,
        "events": [told(event) for event in site.events(run_id)],
    }


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.stem)
def test_document_answers_and_tells_what_it_must(site: Site, path: Path) -> None:
    assert happened(site, path.stem) == json.loads(path.read_text())
