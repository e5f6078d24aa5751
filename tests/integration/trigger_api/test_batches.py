"""Many runs by one request: what fits starts, the rest is named, and a repeated request starts nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database.tables import runs
from platform_core.runs.run_event_store import read_events
from tests.integration.trigger_api.conftest import API, Login, assert_problem, document, end_run

BATCH = f"{API}/graphs/mill/runs:batch"


@pytest.fixture(autouse=True)
def _mill(ada: httpx.Client) -> None:
    ada.post(f"{API}/graphs", json=document())


def _batch(*waters: Any) -> dict[str, Any]:
    return {"runs": [{"params": {"water": water}} for water in waters]}


def _stored(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        columns = (runs.c.run_id, runs.c.params, runs.c.version, runs.c.tags)
        return list(connection.execute(sa.select(*columns).order_by(runs.c.created_at)))


def test_what_fits_starts_and_the_rest_is_named(ada: httpx.Client, engine: Engine) -> None:
    wanted = _batch(1, "much", 3)
    wanted["runs"] += [{"params": {"water": 4}, "version": 9}, {"params": {"water": 5}, "tags": {"team": "mill"}}]
    answer = ada.post(BATCH, json=wanted)
    assert answer.status_code == 202
    body = answer.json()
    assert {name: body[name] for name in ("graph", "accepted", "repeated", "refused")} == {
        "graph": "mill",
        "accepted": 3,
        "repeated": 0,
        "refused": 2,
    }
    assert [run["index"] for run in body["runs"]] == [0, 1, 2, 3, 4]
    bad, missing = body["runs"][1]["error"], body["runs"][3]["error"]
    assert (bad["code"], [issue["path"] for issue in bad["issues"]]) == ("invalid_params", ["/runs/1/params/water"])
    assert missing["code"] == "version_not_found"
    stored = _stored(engine)
    assert [run["run_id"] for run in body["runs"] if "run_id" in run] == [row.run_id for row in stored]
    assert [row.params for row in stored] == [{"water": water, "wheel": "oak"} for water in (1, 3, 5)]
    assert stored[2].tags == {"team": "mill"}
    with engine.connect() as connection:
        for row in stored:
            assert [event.type for event in read_events(connection, row.run_id, 0, 10)] == ["run.queued"]
    shown = ada.get(f"{API}/runs/{stored[0].run_id}").json()
    assert (shown["status"], shown["position"], shown["trigger"]) == ("QUEUED", 1, {"kind": "manual", "id": None})


def test_a_thousand_start_in_their_order_and_one_more_is_refused(ada: httpx.Client, engine: Engine) -> None:
    answer = ada.post(BATCH, json=_batch(*range(1000)))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1000)
    assert [row.params["water"] for row in _stored(engine)] == list(range(1000))
    for number in (0, 1001):
        assert_problem(ada.post(BATCH, json=_batch(*range(number))), 422, "invalid_request")
    assert len(_stored(engine)) == 1000


def test_where_nothing_fits_nothing_starts(ada: httpx.Client, engine: Engine) -> None:
    answer = ada.post(BATCH, json=_batch("a", "b"))
    assert (answer.status_code, answer.json()["accepted"], answer.json()["refused"]) == (200, 0, 2)
    assert _stored(engine) == []


def test_a_malformed_run_refuses_the_whole_with_its_place(ada: httpx.Client, engine: Engine) -> None:
    for run, path in (({"parms": {}}, "/runs/1/parms"), ({"params": []}, "/runs/1/params"), ({"version": 0}, "")):
        wanted = {"runs": [*_batch(1)["runs"], run]}
        issues = assert_problem(ada.post(BATCH, json=wanted), 422, "invalid_request")["issues"]
        assert [issue["path"] for issue in issues] == [path or "/runs/1/version"]
    assert _stored(engine) == []


def test_a_repeated_batch_is_answered_with_its_first_runs_although_the_graph_has_changed(
    ada: httpx.Client, engine: Engine
) -> None:
    key = {"Idempotency-Key": "night-1"}
    first = ada.post(BATCH, json=_batch(1, "two"), headers=key).json()
    text = {"type": "object", "properties": {"water": {"type": "string"}}}
    assert ada.put(f"{API}/graphs/mill", json=document(params=text)).status_code == 200
    end_run(engine, first["runs"][0]["run_id"])
    again = ada.post(BATCH, json=_batch(1, "two"), headers=key)
    assert again.status_code == 200
    assert {**again.json(), "runs": []} == {**first, "accepted": 0, "repeated": 1, "runs": []}
    assert again.json()["runs"] == [{**first["runs"][0], "status": "SUCCESS"}, first["runs"][1]]
    problem = assert_problem(ada.post(BATCH, json=_batch(1, 2), headers=key), 409, "idempotency_key_reused")
    assert problem["run_id"] == first["runs"][0]["run_id"]
    assert len(_stored(engine)) == 1
    # A single launch has keys of its own.
    assert ada.post(f"{API}/graphs/mill/runs", json={"params": {"water": "1"}}, headers=key).status_code == 202


def test_one_key_from_eight_threads_is_one_batch(ada: httpx.Client, engine: Engine) -> None:
    def launch(_: int) -> tuple[int, list[str]]:
        answer = ada.post(BATCH, json=_batch(*range(50)), headers={"Idempotency-Key": "night-1"})
        return answer.status_code, [run["run_id"] for run in answer.json()["runs"]]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(launch, range(8)))
    assert sorted(status for status, _ in answers) == [200] * 7 + [202]
    assert all(ids == answers[0][1] for _, ids in answers)
    assert len(_stored(engine)) == 50


def test_of_two_batches_with_one_key_at_once_one_is_refused(ada: httpx.Client, engine: Engine) -> None:
    def launch(water: int) -> int:
        return ada.post(BATCH, json=_batch(*[water] * 50), headers={"Idempotency-Key": "night-1"}).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(launch, (1, 2))) == [202, 409]
    assert len(_stored(engine)) == 50


def test_rights_are_those_of_a_launch(ada: httpx.Client, login: Login, engine: Engine) -> None:
    assert_problem(login("eve").post(BATCH, json=_batch(1)), 404, "graph_not_found")
    assert_problem(login("vic", "viewer").post(BATCH, json=_batch(1)), 403, "forbidden")
    assert _stored(engine) == []


def test_bytes_are_kept_as_the_object_they_came_as(ada: httpx.Client, engine: Engine) -> None:
    params = {"type": "object", "properties": {"grain": {}}}
    nodes = [{"id": "grind", "type": "transform", "config": {"value": "{{ params.grain }}"}}]
    assert ada.post(f"{API}/graphs", json=document("bytes", params=params, nodes=nodes)).status_code == 201
    given = {"params": {"grain": {"$bytes": "AP8="}}}
    assert ada.post(f"{API}/graphs/bytes/runs:batch", json={"runs": [given]}).status_code == 202
    assert ada.post(f"{API}/graphs/bytes/runs", json=given).status_code == 202
    assert [row.params for row in _stored(engine)] == [given["params"]] * 2
