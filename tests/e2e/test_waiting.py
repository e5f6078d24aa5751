"""A run that waits, as a user sees it, while `up` is stopped and started again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.e2e.conftest import installed
from tests.e2e.documents import sleeper
from tests.e2e.installation import Installation
from tests.waiting import wait_until


@pytest.fixture
def installation() -> Iterator[Installation]:
    with installed({"HEADRACE_SUSPEND_OVER": "0.5"}) as installation:
        installation.apply(sleeper())
        yield installation


def test_run_waits_through_a_restart_and_goes_on_when_its_time_has_come(installation: Installation) -> None:
    run_id = installation.launch("sleeper", seconds=4)
    wait_until(lambda: installation.status(run_id) == "WAITING", "the run waits", 30)
    run = installation.get(f"runs/{run_id}")
    (wait,) = run["waits"]
    assert (wait["node"], wait["for"], wait["until"]) == ("nap", "time", run["wake_at"])
    assert "WAITING" in installation.succeed("runs", "--status", "waiting")
    assert run["wake_at"] in installation.succeed("show", run_id)
    installation.stop()
    due = datetime.fromisoformat(run["wake_at"])
    wait_until(lambda: datetime.now(UTC) > due, "its time has come")
    installation.start()
    wait_until(lambda: installation.status(run_id) == "SUCCESS", "the run succeeded", 30)
    assert installation.get(f"runs/{run_id}")["waits"] == []
    assert "The run goes on." in installation.succeed("logs", run_id)
