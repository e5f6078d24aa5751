"""A run that waits, as a user sees it, while `up` is stopped and started again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import installed
from tests.e2e.documents import sleeper
from tests.e2e.installation import Installation
from tests.waiting import wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def installation() -> Iterator[Installation]:
    with installed({"HEADRACE_SUSPEND_OVER": "0.5"}) as installation:
        installation.apply(sleeper())
        installation.succeed("apply", str(EXAMPLES / "order-approval.yaml"), str(EXAMPLES / "long-job.yaml"))
        yield installation


def test_run_waits_through_a_restart_and_goes_on_when_its_time_has_come(installation: Installation) -> None:
    run_id = installation.launch("sleeper", seconds=8)
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


def test_order_is_approved_through_a_restart_and_paid_by_a_call(installation: Installation) -> None:
    run_id = installation.launch("order-approval", order="a-1", total=3)
    wait_until(lambda: installation.status(run_id) == "WAITING", "the run waits for a person", 30)
    assert "Ship order a-1 for 3?" in installation.succeed("waits")
    installation.stop()
    installation.start()
    installation.succeed("approve", run_id, "ask", "--form", '{"note": "gladly"}')
    wait_until(lambda: [one["node"] for one in installation.get(f"runs/{run_id}")["waits"]] == ["paid"], "it bills", 30)
    billed = [line for line in installation.succeed("logs", run_id).splitlines() if "Pay order a-1 at" in line]
    address = billed[0].rpartition(" at ")[2].strip()
    assert httpx.post(address, json={"amount": "3"}).json()["code"] == "invalid_answer"
    installation.succeed("signal", address, '{"amount": 3}')
    wait_until(lambda: installation.status(run_id) == "SUCCESS", "the run succeeded", 30)
    assert installation.get(f"runs/{run_id}/outputs")["outputs"] == {"accepted": "admin: gladly", "paid": 3}
    assert httpx.post(address, json={"amount": 3}).json()["code"] == "wait_answered"
