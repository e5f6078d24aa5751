"""What Dagster and its UI show of a run that the engine executed is what they show of one that Dagster executed.

Left out on purpose are what nodes' values and resources went through, and the engine's own remarks.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from definitions.execution.context import process_context
from graph_compiler.checking.validation import check
from graph_compiler.jobs.tags import MAX_NODES_TAG
from graph_compiler.language import params
from tests.called_graphs import shelf
from tests.integration.definitions.site import Site
from tests.integration.definitions.test_documents import EXPECTED, document_of
from tests.waiting import wait_until

QUERY = """query($run: ID!){runOrError(runId: $run){__typename ... on Run{status startTime endTime
 stats{... on RunStatsSnapshot{stepsSucceeded stepsFailed startTime endTime launchTime}}
 stepStats{stepKey status startTime endTime attempts{startTime endTime}}
 executionPlan{steps{key kind}} jobName pipelineSnapshotId tags{key value}}}
 logsForRun(runId: $run){__typename ... on EventConnection{events{__typename ... on MessageEvent{message stepKey}}}}}"""
UNSEEN = frozenset(
    {
        "LOADED_INPUT",
        "STEP_INPUT",
        "HANDLED_OUTPUT",
        "RESOURCE_INIT_STARTED",
        "RESOURCE_INIT_SUCCESS",
        "ENGINE_EVENT",
    }
)
UNSEEN_EVENTS = frozenset(
    {
        "LoadedInputEvent",
        "ExecutionStepInputEvent",
        "HandledOutputEvent",
        "ResourceInitStartedEvent",
        "ResourceInitSuccessEvent",
        "EngineEvent",
    }
)
STEMS = (
    "chain",
    "diamond",
    "when_false",
    "switch_case",
    "foreach_collect",
    "foreach_item_fails",
    "on_error_route",
    "finally_after_failure",
    "call_graph",
    "call_fails",
    "call_foreach",
    "foreach_skipped",
)


@pytest.fixture(scope="module")
def ui(site: Site) -> Iterator[httpx.Client]:
    """Dagster's webserver on the site's instance."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("dagster-webserver")), "--empty-workspace", "-p", str(port)]
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client,
    ):

        def answers() -> bool:
            try:
                return client.get("/server_info").is_success
            except httpx.HTTPError:
                return False

        try:
            wait_until(answers, "Dagster's webserver answers", 120)
            yield client
        finally:
            process.terminate()


def by_step(site: Site, run_id: str) -> dict[str | None, list[str]]:
    """Types of Dagster's log by step, each step's in their order."""
    found: defaultdict[str | None, list[str]] = defaultdict(list)
    for entry in site.instance.all_logs(run_id):
        kind = entry.get_dagster_event().event_type_value if entry.is_dagster_event else "LOG"
        if kind not in UNSEEN:
            found[entry.step_key].append(kind)
    return dict(found)


def stats(site: Site, run_id: str) -> dict[str, Any]:
    run = site.instance.get_run_stats(run_id)
    steps = site.instance.get_run_step_stats(run_id)
    assert all(one.start_time <= one.end_time for one in steps if one.start_time and one.end_time)
    return {
        "succeeded": run.steps_succeeded,
        "failed": run.steps_failed,
        "steps": {one.step_key: (one.status and one.status.value, one.attempts) for one in steps},
    }


def shown(ui: httpx.Client, run_id: str) -> dict[str, Any]:
    """What the UI's query answers, without what differs from run to run."""
    answer = ui.post("/graphql", json={"query": QUERY, "variables": {"run": run_id}}).json()
    assert "errors" not in answer, answer["errors"]
    run, events = answer["data"]["runOrError"], answer["data"]["logsForRun"]["events"]
    kinds = Counter(event["__typename"] for event in events)
    return {
        "status": run["status"],
        "is in order": run["startTime"] <= run["endTime"],
        "counts": (run["stats"]["stepsSucceeded"], run["stats"]["stepsFailed"]),
        "steps": {one["stepKey"]: (one["status"], len(one["attempts"])) for one in run["stepStats"]},
        "plan": sorted(one["key"] for one in run["executionPlan"]["steps"]) if run["executionPlan"] else None,
        "snapshot": run["pipelineSnapshotId"],
        "events": {kind: count for kind, count in kinds.items() if kind not in UNSEEN_EVENTS},
        "tags": sorted((tag["key"], tag["value"]) for tag in run["tags"]),
    }


@pytest.mark.parametrize("stem", STEMS)
def test_dagster_shows_the_same(site: Site, ui: httpx.Client, stem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    site.save_called()
    (path,) = (path for path in EXPECTED if path.stem == stem)
    document = dict(document_of(stem))
    checked = check(json.dumps(document), syntax="json", library=shelf())
    assert checked.spec is not None
    applied, _ = params.apply(checked.spec, json.loads(path.read_text()).get("params", {}))
    runs = {}
    for executed_by in ("steps", "engine"):
        settings = site.settings.model_copy(update={"engine": executed_by})
        monkeypatch.setattr(process_context(), "settings", settings)
        runs[executed_by] = site.launch(document, applied, tags={MAX_NODES_TAG: "1"})
        site.execute_launched(runs[executed_by])
    old, new = runs["steps"], runs["engine"]
    assert by_step(site, new) == by_step(site, old)
    assert stats(site, new) == stats(site, old)
    assert shown(ui, new) == shown(ui, old)
