"""One key, however many ask with it at once, is one run: generated requests on real connections and threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from platform_core.database.tables import runs
from tests.integration.trigger_api.conftest import API, document

LAUNCH = f"{API}/graphs/mill/runs"
THREADS = 12

requests = st.lists(st.integers(0, 2), min_size=2, max_size=THREADS)
"""For each thread the number of the body that it sends."""


@pytest.fixture(autouse=True)
def _mill(ada: httpx.Client) -> None:
    ada.post(f"{API}/graphs", json=document())


@settings(
    max_examples=25,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(bodies=requests, batches=st.booleans(), again=st.integers(0, 2))
def test_a_key_makes_one_run_and_only_its_request_is_answered_with_it(
    ada: httpx.Client, engine: Engine, bodies: list[int], batches: bool, again: int
) -> None:
    with engine.begin() as connection:
        before = connection.execute(sa.select(sa.func.count()).select_from(runs)).scalar_one()
    key = {"Idempotency-Key": f"order-{before}"}
    gate = threading.Barrier(len(bodies))

    def ask(body: int) -> tuple[int, tuple[str, ...]]:
        item = {"params": {"water": body}}
        answer = (
            ada.post(f"{LAUNCH}:batch", json={"runs": [item, item]}, headers=key)
            if batches
            else ada.post(LAUNCH, json=item, headers=key)
        ).json()
        if "code" in answer:
            return answer["status"], (answer["run_id"],)
        return 0, tuple(run["run_id"] for run in answer["runs"]) if batches else (answer["run_id"],)

    def ask_together(body: int) -> tuple[int, tuple[str, ...]]:
        gate.wait(60)
        return ask(body)

    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(zip(bodies, pool.map(ask_together, bodies), strict=True))
    answers.append((again, ask(again)))
    winners = {body for body, (status, _) in answers if status == 0}
    assert len(winners) == 1
    ids = {found for _, (status, found) in answers if status == 0}
    assert len(ids) == 1
    (made,) = ids
    assert all((status, set(found) <= set(made)) == (409, True) for body, (status, found) in answers if status)
    assert all((status == 0) == (body in winners) for body, (status, _) in answers)
    with engine.begin() as connection:
        after = connection.execute(sa.select(sa.func.count()).select_from(runs)).scalar_one()
    assert after - before == len(set(made)) == (2 if batches else 1)
