"""Runs that ask, as a user answers them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import installed
from tests.e2e.installation import Installation
from tests.waiting import wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def installation() -> Iterator[Installation]:
    with installed({"HEADRACE_SUSPEND_OVER": "0.5"}) as installation:
        installation.succeed("apply", str(EXAMPLES / "order-approval.yaml"), str(EXAMPLES / "long-job.yaml"))
        yield installation


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
