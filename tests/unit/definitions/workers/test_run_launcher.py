"""The launcher's word on whether a run's worker lives, where no worker holds the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.launcher import WorkerStatus

from definitions.execution.context import process_context
from definitions.workers import run_launcher
from definitions.workers.run_launcher import WarmRunLauncher


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WarmRunLauncher:
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path))
    process_context.cache_clear()
    return WarmRunLauncher(str(tmp_path))


def test_pool_has_time_to_say_why_a_worker_ended_before_the_monitor_calls_it_gone(
    launcher: WarmRunLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = DagsterRun(job_name="mill", status=DagsterRunStatus.STARTED)
    moment = 100.0
    monkeypatch.setattr(launcher, "resume", lambda _: False)  # what asks the database
    monkeypatch.setattr(run_launcher, "time", type("Clock", (), {"monotonic": staticmethod(lambda: moment)}))
    assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
    moment += run_launcher.POOL_REPORTS
    assert launcher.check_run_worker_health(run).status == WorkerStatus.NOT_FOUND
    moment += run_launcher.FORGOTTEN
    assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
