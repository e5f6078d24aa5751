"""`POST runs/{id}/retry`: a new run in place of an ended one."""

from __future__ import annotations

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database.tables import runs
from tests.integration.trigger_api.conftest import API, Login, assert_problem, document, end_run


@pytest.fixture
def failed(ada: httpx.Client, engine: Engine) -> str:
    """A run of version 1 with params and a tag that failed; version 2 is current since."""
    ada.post(f"{API}/graphs", json=document())
    launched = ada.post(f"{API}/graphs/mill/runs", json={"params": {"water": 3}, "tags": {"team": "a"}})
    run_id = str(launched.json()["run_id"])
    end_run(engine, run_id, "FAILURE", error={"kind": "code_error", "message": "no", "node": "grind"})
    ada.put(f"{API}/graphs/mill", json=document(description="newer"))
    return run_id


@pytest.mark.parametrize("body", [None, {}, {"from": "failure"}, {"from": "start"}])
def test_a_retry_is_a_new_run_of_the_same_version_and_params(
    ada: httpx.Client, engine: Engine, failed: str, body: dict[str, str] | None
) -> None:
    answer = ada.post(f"{API}/runs/{failed}/retry", json=body)
    launched = answer.json()
    assert (answer.status_code, launched["status"], launched["version"]) == (202, "QUEUED", 1)
    run = ada.get(f"{API}/runs/{launched['run_id']}").json()
    old = ada.get(f"{API}/runs/{failed}").json()
    assert run["run_id"] != failed
    assert {key: run[key] for key in ("params", "tags", "graph", "trigger")} == {
        key: old[key] for key in ("params", "tags", "graph", "trigger")
    }
    assert (run["parent_run_id"], old["parent_run_id"]) == (failed, None)
    with engine.begin() as connection:
        start = connection.execute(sa.select(runs.c.retry_from).where(runs.c.run_id == run["run_id"])).scalar()
    assert start == (body or {}).get("from", "failure")


def test_one_key_is_one_retry(ada: httpx.Client, failed: str) -> None:
    def retry(start: str) -> httpx.Response:
        return ada.post(f"{API}/runs/{failed}/retry", json={"from": start}, headers={"Idempotency-Key": "once"})

    first, again = retry("failure"), retry("failure")
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["run_id"] == first.json()["run_id"]
    assert_problem(retry("start"), 409, "idempotency_key_reused")


def test_what_has_not_ended_or_has_succeeded_is_not_retried_from_a_failure(
    ada: httpx.Client, engine: Engine, failed: str
) -> None:
    running = ada.post(f"{API}/graphs/mill/runs", json={"params": {"water": 3}}).json()["run_id"]
    for start in ("failure", "start"):
        assert_problem(ada.post(f"{API}/runs/{running}/retry", json={"from": start}), 409, "run_not_finished")
    end_run(engine, running)
    assert_problem(ada.post(f"{API}/runs/{running}/retry"), 409, "run_succeeded")
    assert ada.post(f"{API}/runs/{running}/retry", json={"from": "start"}).status_code == 202
    assert_problem(ada.post(f"{API}/runs/{failed}/retry", json={"from": "middle"}), 422, "invalid_request")


def test_others_and_viewers_cannot_retry(login: Login, failed: str) -> None:
    assert_problem(login("bob").post(f"{API}/runs/{failed}/retry"), 404, "run_not_found")
    assert login("root", "admin").post(f"{API}/runs/{failed}/retry").status_code == 202
    assert_problem(login("vera", "viewer").post(f"{API}/runs/{failed}/retry"), 403, "forbidden")
