"""The documents of tests/graphs run as installations run them, with the outputs and the story they must have.

One node at a time (`max_parallel`), so that the story has one order. tests/graphs/expected says what is expected; it
may name `services` that run beside (`api`, `mail`, `broker`), and give `params` and `secrets`, in which `{api}` is a
service's address. What differs from run to run has a name in capitals there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from definitions.execution.context import process_context
from graph_compiler.checking.validation import check
from graph_compiler.jobs.tags import MAX_NODES_TAG
from graph_compiler.language import params
from graph_compiler.language.loading import load
from graph_compiler.values.binary import dumps
from platform_core.identity.secret_store import put_secret
from platform_core.runs.run_event_store import RunEvent
from tests.called_graphs import shelf
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.document_services import services
from tests.integration.definitions.site import Site

GRAPHS = Path(__file__).parents[2] / "graphs"
EXPECTED = sorted((GRAPHS / "expected").glob("*.json"))
OTHER_ORDER = frozenset(
    (
        "call_finally",
        "call_foreach",
        "call_in_call",
        "call_route",
        "call_skipped",
        "foreach_empty",
        "foreach_route",
    )
)
"""In these the engine lets nodes that do not depend on one another begin in another order than Dagster."""
GIVEN = ("services", "params", "secrets")
CHANGING = {
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}": "RUN",
    r"<[^<>@ ]+@[^<>@ ]+>": "MESSAGE",
    r"\b\d{13}-\d+\b": "ENTRY",
    # Parquet files name the version of their writer.
    r'\d+(, \\"media_type\\": \\"application/vnd.apache.parquet\\", \\"sha256\\": \\")[0-9a-f]{64}': r"SIZE\1HASH",
}


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_HTTP_ALLOW_PRIVATE="true", HEADRACE_SERVICES_ALLOW_PRIVATE="true")


def document_of(stem: str) -> Mapping[str, Any]:
    (path,) = (GRAPHS / "valid").glob(f"{stem}.*")
    data: Mapping[str, Any] = load(path.read_bytes()).data
    return data


def told(event: RunEvent) -> str:
    """`node.output row[2] value=3`: an event without what differs from run to run."""
    place = "" if event.node is None else f" {event.node}" + ("" if event.item is None else f"[{event.item}]")
    if event.type == "node.output":
        shown = dumps(event.data["value"]) if "value" in event.data else f"{event.data['bytes']} bytes"
        return f"{event.type}{place} {event.data['port']}={shown}"
    if event.type in ("node.failed", "node.retrying"):
        return f"{event.type}{place} {event.data['kind']} {event.data['attempts']}"
    if event.type in ("log", "stdout", "stderr"):
        return f"{event.type}{place} {event.message}"
    return event.type + place


def executed(site: Site, stem: str, given: Mapping[str, Any], folder: Path) -> tuple[str, Mapping[str, Any]]:
    """Id of a run of the document that has ended, and the addresses of the services it met."""
    data = document_of(stem)
    if any(node["type"] == "graph" for node in data["nodes"]):
        site.save_called()
    checked = check(json.dumps(data), syntax="json", library=shelf())
    assert checked.issues == ()
    assert checked.spec is not None
    with services(given.get("services", []), folder) as addresses:
        for name, value in given.get("secrets", {}).items():
            with site.engine.begin() as connection:
                put_secret(connection, process_context().keys, site.owner_id, name, value.format(**addresses))
        filled = json.loads(json.dumps(given.get("params", {})))
        filled = {
            name: value.format(**addresses) if isinstance(value, str) else value for name, value in filled.items()
        }
        applied, issues = params.apply(checked.spec, filled)
        assert issues == []
        run_id = site.launch(dict(data), applied, tags={MAX_NODES_TAG: "1"})
        site.execute_launched(run_id)
    return run_id, addresses


def happened(site: Site, stem: str, given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What a run of the document answers and reports."""
    run_id, addresses = executed(site, stem, given, folder)
    run = site.run(run_id)
    answer = {
        "status": run.status,
        "error": run.error,
        "outputs": run.outputs,
        "events": [told(event) for event in site.events(run_id)],
    }
    return _without_what_changes(answer, addresses)


def _without_what_changes(answer: dict[str, Any], addresses: Mapping[str, str]) -> dict[str, Any]:
    text = json.dumps(answer)
    for name, address in addresses.items():
        text = text.replace(address, f"{{{name}}}")
    for pattern, name in CHANGING.items():
        text = re.sub(pattern, name, text)
    shown: dict[str, Any] = json.loads(text)
    return shown


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.stem)
def test_document_answers_and_tells_what_it_must(site: Site, path: Path, tmp_path: Path) -> None:
    expected = json.loads(path.read_text())
    given = {name: expected.pop(name) for name in GIVEN if name in expected}
    found = happened(site, path.stem, given, tmp_path)
    if path.stem in OTHER_ORDER:
        found["events"], expected["events"] = by_place(found["events"]), by_place(expected["events"])
    assert found == expected


def by_place(events: list[str]) -> dict[str, list[str]]:
    """What each node, or item of one, told, in its order."""
    places: dict[str, list[str]] = {}
    for event in events:
        places.setdefault(" ".join(event.split()[1:2]), []).append(event)
    return places


def test_every_valid_document_has_its_expectation() -> None:
    assert {path.stem for path in (GRAPHS / "valid").iterdir()} == {path.stem for path in EXPECTED}
