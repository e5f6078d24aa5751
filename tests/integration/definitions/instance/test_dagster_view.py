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

from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.site import Site
from tests.integration.definitions.test_documents import EXPECTED, executed
from tests.waiting import wait_until

QUERY = """query($run: ID!){runOrError(runId: $run){__typename ... on Run{status startTime endTime
 stats{... on RunStatsSnapshot{stepsSucceeded stepsFailed startTime endTime launchTime}}
 stepStats{stepKey status startTime endTime attempts{startTime endTime}}
 executionPlan{steps{key kind}} jobName tags{key}}}
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
VIEWS = Path(__file__).parents[3] / "graphs" / "dagster"
"""What was shown of a run of each document that Dagster itself had executed, before the engine did."""


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_HTTP_ALLOW_PRIVATE="true", HEADRACE_SERVICES_ALLOW_PRIVATE="true")


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


def by_step(site: Site, run_id: str) -> dict[str, list[str]]:
    """Types of Dagster's log by step, each step's in their order."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for entry in site.instance.all_logs(run_id):
        kind = entry.get_dagster_event().event_type_value if entry.is_dagster_event else "LOG"
        if kind not in UNSEEN:
            found[entry.step_key or ""].append(kind)
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
        "events": {kind: count for kind, count in kinds.items() if kind not in UNSEEN_EVENTS},
        "tags": sorted(tag["key"] for tag in run["tags"]),
    }


SEEN = [path for path in EXPECTED if path.stem not in {"repeat_until"}]
"""All documents but those with what Dagster itself never executed."""


@pytest.mark.parametrize("path", SEEN, ids=lambda path: path.stem)
def test_dagster_shows_what_it_showed_of_its_own_execution(
    site: Site, ui: httpx.Client, path: Path, tmp_path: Path
) -> None:
    expected = json.loads((VIEWS / path.name).read_text())
    run_id, _ = executed(site, path.stem, json.loads(path.read_text()), tmp_path)
    found = {"log": by_step(site, run_id), "stats": stats(site, run_id), "ui": shown(ui, run_id)}
    assert json.loads(json.dumps(found)) == expected
