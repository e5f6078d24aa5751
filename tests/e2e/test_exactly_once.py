"""Signed webhooks while processes are killed at random: each delivery that was accepted is exactly one ended run.

It loads for `HEADRACE_E2E_LOAD_SECONDS` (20); `HEADRACE_E2E_SEED` repeats a run of the dice.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from platform_core.database.postgres import EmbeddedPostgres
from tests.e2e.conftest import installed
from tests.e2e.installation import Installation
from tests.waiting import wait_until
from tests.webhook_signing import github_signature

SECONDS = float(os.environ.get("HEADRACE_E2E_LOAD_SECONDS", "20"))
SEED = int(os.environ.get("HEADRACE_E2E_SEED", "20261123"))
SECRET = "a secret of the test"
VICTIMS = ("api", "daemon", "workers", "worker", "worker")
SENDERS = 4
RATE = 8.0
"""Deliveries per second at most, so that a slow machine executes them in the end."""
PATIENCE = 120.0
"""Seconds without any run ending after which it is said that they do not."""
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}

GRAPH = {
    "spec_version": 1,
    "name": "counted",
    "params": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
    "nodes": [{"id": "say", "type": "transform", "config": {"value": "{{ params.number }}"}}],
    "outputs": {"number": "{{ nodes.say.value }}"},
    "triggers": [
        {
            "id": "in",
            "type": "webhook",
            "verify": {"scheme": "github", "secret": "counted"},
            "params": {"number": "{{ body.number }}"},
        }
    ],
}


@pytest.fixture
def installation() -> Iterator[Installation]:
    with installed() as installation:
        yield installation


def test_each_accepted_delivery_is_exactly_one_ended_run(installation: Installation) -> None:
    installation.succeed("secret", "set", "counted", stdin=SECRET)
    hook = installation.apply(GRAPH)["triggers"][0]["url"]
    answers = loaded(installation, hook)
    assert answers, "no call was accepted"
    rows = counted(installation)
    delivered = {key: (run_id, number) for key, run_id, number, _, _ in rows}
    assert {key: run_id for key, (run_id, _) in delivered.items()} == answers | unanswered(delivered, answers)
    wait_for_all(installation)
    rows = counted(installation)
    assert len(rows) == len({run_id for _, run_id, *_ in rows}) == number_of_runs(installation)
    ends = Counter(status for *_, status, _ in rows)
    assert set(ends) <= ENDED
    # A worker that was killed with a run is told in its run, by the pool or, if that died too, by who misses it;
    # nothing else may make one fail.
    lost = ("SIGKILL", "its run worker is gone")
    assert [row for row in rows if row[3] != "SUCCESS" and not any(said in str(row[4]) for said in lost)] == []
    assert twice_ended(installation) == []


def loaded(installation: Installation, hook: str) -> dict[str, str]:
    """Send calls, each until it is accepted, while processes are killed; the run of each delivery id."""
    over = threading.Event()
    numbers = iter(range(int(RATE * SECONDS)))
    answers: dict[str, str] = {}
    with ThreadPoolExecutor(SENDERS) as pool:
        senders = [pool.submit(send_until, over, hook, numbers, answers) for _ in range(SENDERS)]
        kill_at_random(installation, time.monotonic() + SECONDS)
        over.set()
        for sender in senders:
            sender.result()
    return answers


def send_until(over: threading.Event, hook: str, numbers: Iterator[int], answers: dict[str, str]) -> None:
    began = time.monotonic()
    with httpx.Client(timeout=30, verify=False) as client:
        for number in numbers:
            due = began + number / RATE
            wait_until(lambda: time.monotonic() > due, "the next is due")  # noqa: B023
            if over.is_set():
                return
            key, body = str(uuid.uuid4()), json.dumps({"number": number}).encode()
            run_id = accepted(client, hook, key, body)
            # Now and then a sender sends again what was accepted.
            if int(key[0], 16) < 4:
                assert accepted(client, hook, key, body) == run_id
            answers[key] = run_id


def accepted(client: httpx.Client, hook: str, key: str, body: bytes) -> str:
    """Send a delivery until it is accepted; its run's id."""
    run_id = wait_until(lambda: deliver(client, hook, key, body), f"delivery {key} is accepted", PATIENCE)
    assert run_id is not None
    return run_id


def deliver(client: httpx.Client, hook: str, key: str, body: bytes) -> str | None:
    """The run's id, None when the API or its database is away, as senders take it: they send again."""
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Delivery": key,
        "X-Hub-Signature-256": github_signature(SECRET, body),
    }
    try:
        answer = client.post(hook, content=body, headers=headers)
    except httpx.TransportError:
        return None
    assert answer.status_code in (202, 503), answer.text
    return str(answer.json()["run_id"]) if answer.status_code == 202 else None


def kill_at_random(installation: Installation, end: float) -> None:
    dice = random.Random(SEED)
    while time.monotonic() < end:
        pause = dice.uniform(0.5, 3.0)
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + pause, "the pause is over")  # noqa: B023
        victim = dice.choice(VICTIMS)
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, KeyError, json.JSONDecodeError):
            kill(installation, victim, dice)


def kill(installation: Installation, victim: str, dice: random.Random) -> None:
    pids = installation.record["pids"]
    if victim != "worker":
        psutil.Process(pids[victim]).kill()
        return
    workers = psutil.Process(pids["workers"]).children()
    if workers:
        dice.choice(workers).kill()


def wait_for_all(installation: Installation) -> None:
    """Wait until every run has ended; fails when none does for a long time."""
    while left := len(waiting(installation)):
        wait_until(lambda: len(waiting(installation)) != left, "another run ends", PATIENCE)


def query(installation: Installation, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(EmbeddedPostgres(installation.home).url) as connection:
        return connection.execute(text.encode()).fetchall()


def counted(installation: Installation) -> list[tuple[Any, ...]]:
    """Key, run id, number, status and error of each delivery and its run."""
    rows = query(
        installation,
        "SELECT delivery_key, deliveries.run_id, runs.params, runs.status, runs.error FROM headrace.deliveries"
        " LEFT JOIN headrace.runs USING (run_id)",
    )
    assert all(params is not None for _, _, params, _, _ in rows), "a delivery without a run"
    return [(key, run_id, json.loads(params)["number"], status, error) for key, run_id, params, status, error in rows]


def unanswered(delivered: dict[str, tuple[str, int]], answers: dict[str, str]) -> dict[str, str]:
    """What was stored, and whose answer was lost as the test ended; never more than one for each sender."""
    rest = {key: run_id for key, (run_id, _) in delivered.items() if key not in answers}
    assert len(rest) <= SENDERS
    return rest


def number_of_runs(installation: Installation) -> int:
    return int(query(installation, "SELECT count(*) FROM headrace.runs")[0][0])


def waiting(installation: Installation) -> list[tuple[Any, ...]]:
    return query(installation, "SELECT run_id FROM headrace.runs WHERE ended_at IS NULL")


def twice_ended(installation: Installation) -> list[tuple[Any, ...]]:
    """Runs whose events say more than once that they ended."""
    return query(
        installation,
        "SELECT run_id, count(*) FROM headrace.run_events"
        " WHERE type IN ('run.succeeded', 'run.failed', 'run.canceled') GROUP BY run_id HAVING count(*) <> 1",
    )
