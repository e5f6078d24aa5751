"""kill -9 of every process of an installation, with runs in flight: it recovers and loses nothing it accepted."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.e2e.conftest import installed
from tests.e2e.documents import sleeper
from tests.e2e.installation import Installation
from tests.waiting import wait_until

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with installed() as installation:
        installation.apply(sleeper())
        installation.ask_dagster("{version}")
        yield installation


@pytest.mark.parametrize("name", ["postgres", "daemon", "workers", "api", "code-server", "ui"])
def test_killed_process_is_replaced_and_every_accepted_run_succeeds(installation: Installation, name: str) -> None:
    killed = installation.record["pids"][name]
    in_flight = [installation.launch("sleeper", seconds=3) for _ in range(3)]
    wait_until(lambda: "RUNNING" in statuses(installation, in_flight), "a run is running")
    os.kill(killed, signal.SIGKILL)
    meanwhile = [installation.succeed("run", "sleeper", "-p", "seconds=0").strip() for _ in range(2)]
    accepted = [*in_flight, *meanwhile]
    wait_until(lambda: ENDED.issuperset(statuses(installation, accepted)), "every run has ended", 90)
    assert statuses(installation, accepted) == ["SUCCESS"] * 5
    wait_until(lambda: f"{name:<11} | works again" in installation.lines, f"{name} works again", 60)
    assert any(line.startswith(f"{name:<11} | killed by SIGKILL after ") for line in installation.lines)
    assert psutil.pid_exists(installation.record["pids"][name])
    assert installation.record["pids"][name] != killed


def test_services_are_started_again_without_the_template(installation: Installation) -> None:
    os.kill(installation.record["pids"]["template"], signal.SIGKILL)
    line = f"{'template':<11} | killed by SIGKILL; going on without it"
    wait_until(lambda: line in installation.lines, "the loss of the template is reported")
    before = installation.lines.count(f"{'api':<11} | works again")
    os.kill(installation.record["pids"]["api"], signal.SIGKILL)
    wait_until(lambda: installation.lines.count(f"{'api':<11} | works again") > before, "the API works again", 60)


def kill_workers(installation: Installation) -> None:
    for worker in psutil.Process(installation.record["pids"]["workers"]).children():
        worker.kill()


def test_run_of_a_killed_worker_goes_on_in_another(installation: Installation) -> None:
    run_id = installation.launch("sleeper", seconds=4)
    wait_until(lambda: statuses(installation, [run_id]) == ["RUNNING"], "the run is running")
    kill_workers(installation)
    wait_until(lambda: statuses(installation, [run_id])[0] in ENDED, "the run has ended", 60)
    assert installation.status(run_id) == "SUCCESS"
    assert "The run goes on." in installation.succeed("logs", run_id)


def test_run_of_a_killed_worker_fails_with_the_reason_if_its_graph_says_so(installation: Installation) -> None:
    installation.apply({**sleeper(), "name": "not-again", "settings": {"on_worker_loss": "fail"}})
    run_id = installation.launch("not-again", seconds=600)
    wait_until(lambda: statuses(installation, [run_id]) == ["RUNNING"], "the run is running")
    kill_workers(installation)
    wait_until(lambda: statuses(installation, [run_id])[0] in ENDED, "the run has ended", 15)
    run = installation.get(f"runs/{run_id}")
    assert run["status"] == "FAILURE"
    assert "SIGKILL" in json.dumps(run["error"])
    assert installation.run("logs", run_id, "--follow").returncode == 1


def test_runs_succeed_after_a_worker_was_killed(installation: Installation) -> None:
    assert installation.run("run", "sleeper", "-p", "seconds=0", "--wait", "60").returncode == 0


def statuses(installation: Installation, run_ids: list[str]) -> list[str]:
    """The present status of each run, in this order; UNKNOWN while the API or its database is away."""
    try:
        return [installation.status(run_id) for run_id in run_ids]
    except httpx.HTTPError:
        return ["UNKNOWN"]
