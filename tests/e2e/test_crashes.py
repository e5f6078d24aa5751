"""kill -9 of every process of an installation, with runs in flight: it recovers and loses nothing it accepted."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import psutil
import pytest

from tests.e2e.documents import sleeper
from tests.e2e.installation import Installation
from tests.waiting import wait_until

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


@pytest.fixture(scope="module", autouse=True)
def _graph(installation: Installation) -> None:
    installation.apply(sleeper())


@pytest.mark.parametrize("name", ["postgres", "daemon", "workers", "api", "code-server", "ui"])
def test_killed_process_is_replaced_and_every_accepted_run_succeeds(installation: Installation, name: str) -> None:
    killed = installation.record["pids"][name]
    in_flight = [launch(installation, 2) for _ in range(3)]
    wait_until(lambda: "RUNNING" in statuses(installation, in_flight), "a run is running", 30)
    os.kill(killed, signal.SIGKILL)
    accepted = [*in_flight, *(launch(installation, 0) for _ in range(2))]
    wait_until(lambda: ENDED.issuperset(statuses(installation, accepted)), "every run has ended", 90)
    assert statuses(installation, accepted) == ["SUCCESS"] * 5
    wait_until(lambda: f"{name:<11} | works again" in installation.lines, f"{name} works again", 60)
    assert any(line.startswith(f"{name:<11} | killed by SIGKILL after ") for line in installation.lines)
    assert psutil.pid_exists(installation.record["pids"][name])
    assert installation.record["pids"][name] != killed


def test_run_of_a_killed_worker_fails_with_the_reason(installation: Installation) -> None:
    run_id = launch(installation, 600)
    wait_until(lambda: statuses(installation, [run_id]) == ["RUNNING"], "the run is running", 30)
    for worker in psutil.Process(installation.record["pids"]["workers"]).children():
        worker.kill()
    wait_until(lambda: statuses(installation, [run_id])[0] in ENDED, "the run has ended", 15)
    with installation.client() as client:
        run = client.get(f"/api/v1/runs/{run_id}").json()
    assert run["status"] == "FAILURE"
    assert "SIGKILL" in json.dumps(run["error"])
    assert installation.run("logs", run_id, "--follow").returncode == 1


def test_runs_succeed_after_a_worker_was_killed(installation: Installation) -> None:
    assert installation.run("run", "sleeper", "-p", "seconds=0", "--wait", "60").returncode == 0


def launch(installation: Installation, seconds: float) -> str:
    return installation.succeed("run", "sleeper", "-p", f"seconds={seconds}").strip()


def statuses(installation: Installation, run_ids: list[str]) -> list[str]:
    """The present status of each run, in this order."""
    listed: list[dict[str, Any]] = json.loads(installation.succeed("runs", "--limit", "200", "--json"))
    status = {run["run_id"]: str(run["status"]) for run in listed}
    return [status[run_id] for run_id in run_ids]
