"""A run pod that is to end: what its run ends with depends on whether it was canceled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from definitions.execution.context import process_context
from definitions.execution.current_run import CurrentRun
from definitions.workers import run_pod
from definitions.workers.run_pod import TERMINATED, RunPod
from graph_engine.journal.records import Status
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import waiting
from tests.integration.definitions.site import Site


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_SECRET_KEY="x" * 40)


@pytest.fixture
def run_id(site: Site) -> str:
    return site.launch(waiting() | {"settings": {"on_worker_loss": "fail"}})


def ended_with(site: Site, run_id: str) -> list[tuple[Status, str]]:
    """What the run is to end with: its status and the kind of its error."""
    current, ends = CurrentRun(run_id), []
    current.on_stop(lambda status, error: ends.append((status, error["kind"])))
    RunPod(process_context(), site.instance, current).end()
    return ends


def test_run_that_nobody_canceled_is_lost(site: Site, run_id: str) -> None:
    assert ended_with(site, run_id) == [("FAILURE", TERMINATED)]


def test_run_whose_cancel_was_asked_for_is_canceled(site: Site, run_id: str) -> None:
    site.cancel(run_id)
    assert ended_with(site, run_id) == [("CANCELED", "canceled")]


def test_run_that_dagster_cancels_is_canceled(site: Site, run_id: str) -> None:
    run = site.instance.get_run_by_id(run_id)
    assert run is not None
    site.instance.report_run_canceling(run)
    assert ended_with(site, run_id) == [("CANCELED", "canceled")]


def test_run_of_which_nothing_can_be_read_ends_all_the_same(
    site: Site, run_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def defect(*_: object) -> bool:
        raise ValueError("odd")

    monkeypatch.setattr(run_pod, "is_cancel_requested", defect)  # no state of a database fails in an unforeseen way
    assert ended_with(site, run_id) == [("FAILURE", TERMINATED)]
    assert [record.getMessage() for record in caplog.records] == [f"It is not known whether run {run_id} was canceled."]


@contextmanager
def pod_process(site: Site, run_id: str) -> Iterator[subprocess.Popen[bytes]]:
    home = Path(site.settings.home) / "pod"
    home.mkdir(exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key != "DAGSTER_HOME"}
    command = [sys.executable, "-P", "-m", "headrace_cli", "run-job", run_id]
    with (home / f"{run_id}.log").open("wb") as log:
        process = subprocess.Popen(command, env={**environment, "HEADRACE_HOME": str(home)}, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


@pytest.mark.parametrize(
    ("is_canceled", "status", "kind"), [(False, "FAILURE", TERMINATED), (True, "CANCELED", "canceled")]
)
def test_signal_ends_the_process_with_its_run(
    site: Site, run_id: str, is_canceled: bool, status: str, kind: str
) -> None:
    with pod_process(site, run_id) as process:
        site.wait_for_event(run_id, "node.started", "nap", 120)
        if is_canceled:
            site.cancel(run_id)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    run = site.run(run_id)
    assert (run.status, run.error and run.error["kind"]) == (status, kind)
