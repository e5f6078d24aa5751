"""The example of a webhook, a timer and the queue does what its comments say."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.installation import Installation
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("installation")

EXAMPLE = Path(__file__).parents[2] / "examples" / "orders.yaml"
TOKEN = "a token of the test"
LINES = [{"price": 3}, {"price": 4}]


@pytest.fixture(scope="module")
def hook(installation: Installation) -> str:
    """The address of the example's webhook."""
    installation.succeed("secret", "set", "shop_token", stdin=TOKEN)
    [applied] = json.loads(installation.succeed("apply", "--json", str(EXAMPLE)))
    [url] = [trigger["url"] for trigger in applied["graph"]["triggers"] if trigger["type"] == "webhook"]
    return str(url)


def order(hook: str, **body: Any) -> httpx.Response:
    return httpx.post(hook, json=body, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)


def test_an_order_is_answered_with_its_total_and_makes_one_run(installation: Installation, hook: str) -> None:
    name = f"order-{uuid.uuid4()}"
    for _ in range(2):
        answer = order(hook, id=name, test=False, lines=LINES)
        assert (answer.status_code, answer.json()) == (201, {"order": name, "total": 7})
    runs = installation.get("runs?graph=orders&limit=100")["items"]
    assert [run["trigger"] for run in runs if run["params"]["order"] == name] == [{"kind": "webhook", "id": "on-order"}]


def test_an_order_of_a_test_starts_nothing(installation: Installation, hook: str) -> None:
    assert order(hook, id=f"order-{uuid.uuid4()}", test=True, lines=LINES).status_code == 204


def test_the_timer_has_times_and_starts_a_run_now(installation: Installation, hook: str) -> None:
    [first, *_] = installation.succeed("next", "orders", "morning").splitlines()
    assert "07:00:00" in first
    run_id = installation.succeed("fire", "orders", "morning").strip()
    wait_until(lambda: installation.status(run_id) == "SUCCESS", "the timer's run succeeded", 60)
    run = installation.get(f"runs/{run_id}")
    assert run["trigger"] == {"kind": "schedule", "id": "morning"}
    assert run["params"]["order"].startswith("day-20")


def test_many_runs_wait_for_their_turn_and_all_of_them_have_it(installation: Installation, hook: str) -> None:
    runs = [installation.launch("orders", order=f"order-{number}", lines=LINES) for number in range(6)]
    for run_id in runs:
        wait_until(lambda: installation.status(run_id) == "SUCCESS", "a run of the queue succeeded", 60)  # noqa: B023 - at once
