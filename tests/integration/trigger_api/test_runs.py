"""Runs over HTTP: accepted once and durably, awaited, listed, canceled."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core import channels
from platform_core.database.engine import plain_url
from platform_core.database.tables import runs
from platform_core.identity.ticket_store import redeem_ticket
from platform_core.runs.run_event_store import read_events
from tests.integration.trigger_api.conftest import API, Login, assert_problem, document, end_run
from tests.waiting import wait_until

LAUNCH = f"{API}/graphs/mill/runs"
WATER = {"params": {"water": 7}}


@pytest.fixture(autouse=True)
def _mill(ada: httpx.Client) -> None:
    ada.post(f"{API}/graphs", json=document())


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(runs)).scalar_one())


def test_a_launched_run_is_stored_queued_and_announced(ada: httpx.Client, engine: Engine, database_url: str) -> None:
    with psycopg.connect(plain_url(database_url), autocommit=True) as listener:
        listener.execute(f"LISTEN {channels.QUEUE}")
        launched = ada.post(LAUNCH, json=WATER | {"tags": {"team": "mill"}})
        assert launched.status_code == 202
        run_id = launched.json()["run_id"]
        assert [notify.payload for notify in listener.notifies(timeout=10, stop_after=1)] == [run_id]
    here = f"http://headrace.test/api/v1/runs/{run_id}"
    links = {
        "self": here,
        "events": f"{here}/events",
        "websocket": f"ws://headrace.test/api/v1/runs/{run_id}/ws",
        "files": f"http://headrace.test/api/v1/runs/{run_id}/files",
        "watch": f"http://headrace.test/watch/{run_id}",
    }
    assert launched.json() == {"run_id": run_id, "status": "QUEUED", "graph": "mill", "version": 1, "links": links}
    run = ada.get(f"{API}/runs/{run_id}").json()
    assert run == {
        "run_id": run_id,
        "graph": "mill",
        "version": 1,
        "owner": "ada",
        "parent_run_id": None,
        "wake_at": None,
        "waits": [],
        "status": "QUEUED",
        "trigger": {"kind": "manual", "id": None},
        "params": {"water": 7, "wheel": "oak"},
        "tags": {"team": "mill"},
        "created_at": run["created_at"],
        "started_at": None,
        "ended_at": None,
        "error": None,
        "position": 1,
        "links": links,
    }
    with engine.connect() as connection:
        assert [event.type for event in read_events(connection, run_id, 0, 10)] == ["run.queued"]


def test_params_that_do_not_fit_start_nothing(ada: httpx.Client, engine: Engine) -> None:
    for params, path in (
        ({"water": "much"}, "/params/water"),
        ({}, "/params/water"),
        ({"water": 1, "wheel": 5}, "/params/wheel"),
    ):
        issues = assert_problem(ada.post(LAUNCH, json={"params": params}), 422, "invalid_params")["issues"]
        assert [issue["path"] for issue in issues] == [path]
    assert _count(engine) == 0


MALFORMED = {
    "{": "",
    "[]": "",
    '{"params": []}': "/params",
    '{"params": {"water": NaN}}': "",
    '{"params": {"water": 1e999}}': "",
    '{"params": {"water": "\\ud800"}}': "",
    '{"params": {}, "verison": 1}': "/verison",
    '{"version": 0}': "/version",
    '{"version": "1"}': "/version",
    '{"version": 99999999999}': "/version",
    '{"tags": {"team": 1}}': "/tags/team",
    '{"tags": {"": "x"}}': "/tags//[key]",
    '{"live_monitoring": "yes"}': "/live_monitoring",
}


def test_a_malformed_launch_names_the_place(ada: httpx.Client, engine: Engine) -> None:
    found = {}
    for body in MALFORMED:
        refused = ada.post(LAUNCH, content=body, headers={"Content-Type": "application/json"})
        (issue,) = assert_problem(refused, 422, "invalid_request")["issues"]
        assert issue["in"] == "body"
        found[body] = issue["path"]
    assert found == MALFORMED
    assert _count(engine) == 0


def test_an_unknown_graph_version_and_run_are_told_apart(ada: httpx.Client) -> None:
    assert_problem(ada.post(f"{API}/graphs/none/runs", json=WATER), 404, "graph_not_found")
    assert_problem(ada.post(LAUNCH, json=WATER | {"version": 2}), 404, "version_not_found")
    for path in ("/runs/none", "/runs/none/outputs"):
        assert_problem(ada.get(API + path), 404, "run_not_found")
    assert_problem(ada.post(f"{API}/runs/none/cancel"), 404, "run_not_found")


def test_a_run_keeps_the_version_it_was_launched_with(ada: httpx.Client) -> None:
    first = ada.post(LAUNCH, json=WATER).json()
    ada.put(
        f"{API}/graphs/mill",
        json=document(
            params={"type": "object"},
            description="x",
            nodes=[{"id": "grind", "type": "transform", "config": {"value": 1}}],
        ),
    )
    second = ada.post(LAUNCH).json()
    old = ada.post(LAUNCH, json=WATER | {"version": 1}).json()
    assert [run["version"] for run in (first, second, old)] == [1, 2, 1]
    assert ada.get(f"{API}/runs/{first['run_id']}").json()["version"] == 1


def test_the_same_key_and_body_is_the_same_run_even_after_the_graph_changed(ada: httpx.Client, engine: Engine) -> None:
    key = {"Idempotency-Key": "order-1"}
    first = ada.post(LAUNCH, json=WATER, headers=key)
    ada.put(f"{API}/graphs/mill", json=document(params={"type": "object", "properties": {"water": {"type": "string"}}}))
    again = ada.post(LAUNCH, json=WATER, headers=key)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == first.json()
    problem = assert_problem(
        ada.post(LAUNCH, json={"params": {"water": 8}}, headers=key), 409, "idempotency_key_reused"
    )
    assert problem["run_id"] == first.json()["run_id"]
    assert _count(engine) == 1


def test_a_bad_key_is_refused(ada: httpx.Client, engine: Engine) -> None:
    for key in ("", ":webhook:on-push:1", "x" * 201, "with space"):
        assert_problem(ada.post(LAUNCH, json=WATER, headers={"Idempotency-Key": key}), 422, "invalid_request")
    assert _count(engine) == 0


def test_one_key_from_eight_threads_is_one_run(ada: httpx.Client, engine: Engine) -> None:
    def launch(_: int) -> tuple[int, str]:
        answer = ada.post(LAUNCH, json=WATER, headers={"Idempotency-Key": "order-1"})
        return answer.status_code, answer.json()["run_id"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(launch, range(8)))
    assert sorted(status for status, _ in answers) == [200] * 7 + [202]
    assert len({run_id for _, run_id in answers}) == 1
    assert _count(engine) == 1


def test_live_monitoring_gives_tickets_for_a_stream_and_for_the_page(ada: httpx.Client, engine: Engine) -> None:
    launched = ada.post(LAUNCH, json=WATER | {"live_monitoring": True}).json()
    with engine.begin() as connection:
        assert redeem_ticket(connection, launched["ticket"], launched["run_id"]).name == "ada"
        page, _, ticket = launched["links"]["watch"].partition("?ticket=")
        assert page == f"http://headrace.test/watch/{launched['run_id']}"
        assert redeem_ticket(connection, ticket, launched["run_id"]).name == "ada"


def test_waiting_answers_the_outputs_once_the_run_has_ended(
    ada: httpx.Client, engine: Engine, database_url: str
) -> None:
    with psycopg.connect(plain_url(database_url), autocommit=True) as listener:
        listener.execute(f"LISTEN {channels.QUEUE}")

        def work() -> None:
            (queued,) = listener.notifies(timeout=30, stop_after=1)
            end_run(engine, queued.payload, outputs={"flour": 7})

        worker = threading.Thread(target=work)
        worker.start()
        answer = ada.post(LAUNCH, json=WATER, params={"wait": 30})
        worker.join()
    assert answer.status_code == 200
    ended = answer.json()
    assert (ended["status"], ended["outputs"], ended["error"]) == ("SUCCESS", {"flour": 7}, None)


def test_waiting_in_vain_answers_that_the_run_is_accepted(ada: httpx.Client, engine: Engine) -> None:
    key = {"Idempotency-Key": "order-1"}
    first = ada.post(LAUNCH, json=WATER, params={"wait": 0.05}, headers=key)
    again = ada.post(LAUNCH, json=WATER, params={"wait": 0.05}, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert first.json()["status"] == "QUEUED"
    assert "outputs" not in first.json()
    end_run(engine, first.json()["run_id"], "FAILURE", error={"message": "no water"})
    ended = ada.post(LAUNCH, json=WATER, params={"wait": 30}, headers=key)
    assert (ended.status_code, ended.json()["outputs"], ended.json()["error"]) == (200, None, {"message": "no water"})


def test_a_bad_wait_is_refused_before_anything_is_launched(ada: httpx.Client, engine: Engine) -> None:
    for wait in ("-1", "nan", "inf", "long"):
        assert_problem(ada.post(LAUNCH, json=WATER, params={"wait": wait}), 422, "invalid_request")
    assert _count(engine) == 0


def test_waiting_holds_no_connection_and_no_thread(ada: httpx.Client, engine: Engine) -> None:
    """More waiters than the pool has connections (20) and the server threads (40); others are served meanwhile."""
    waiters = 60
    with ThreadPoolExecutor(waiters) as pool:
        waiting = [pool.submit(ada.post, LAUNCH, json=WATER, params={"wait": 30}) for _ in range(waiters)]
        wait_until(lambda: _count(engine) == waiters, "all runs are accepted")
        assert ada.get(f"{API}/runs", params={"limit": 1}).status_code == 200
        with engine.connect() as connection:
            for run_id in list(connection.execute(sa.select(runs.c.run_id)).scalars()):
                end_run(engine, run_id)
        assert {answer.result().status_code for answer in waiting} == {200}


def test_outputs_are_there_once_the_run_has_ended(ada: httpx.Client, engine: Engine) -> None:
    run_id = ada.post(LAUNCH, json=WATER).json()["run_id"]
    outputs = f"{API}/runs/{run_id}/outputs"
    assert assert_problem(ada.get(outputs), 409, "run_not_finished")["run_status"] == "QUEUED"
    end_run(engine, run_id, outputs={"flour": 7})
    assert ada.get(outputs).json() == {"run_id": run_id, "status": "SUCCESS", "outputs": {"flour": 7}, "files": []}


def test_canceling_ends_a_run_that_waits(ada: httpx.Client) -> None:
    run_id = ada.post(LAUNCH, json=WATER).json()["run_id"]
    canceled = ada.post(f"{API}/runs/{run_id}/cancel")
    assert (canceled.status_code, canceled.json()["status"], canceled.json()["position"]) == (202, "CANCELED", None)
    error = {"kind": "canceled", "message": "The run was canceled before it began.", "node": None}
    assert ada.get(f"{API}/runs/{run_id}").json()["error"] == error
    assert_problem(ada.post(f"{API}/runs/{run_id}/cancel"), 409, "run_ended")


def test_waiting_runs_show_their_places_which_are_fair_between_owners(ada: httpx.Client, login: Login) -> None:
    mine = [ada.post(LAUNCH, json=WATER).json()["run_id"] for _ in range(3)]
    eve = login("eve")
    eve.post(f"{API}/graphs", json=document())
    theirs = eve.post(LAUNCH, json=WATER).json()["run_id"]
    assert eve.get(f"{API}/runs/{theirs}").json()["position"] == 2
    listed = {run["run_id"]: run["position"] for run in ada.get(f"{API}/runs").json()["items"]}
    assert listed == dict(zip(mine, [1, 3, 4], strict=True))


def test_canceling_is_noted_once_and_refused_after_the_end(ada: httpx.Client, engine: Engine) -> None:
    run_id = ada.post(LAUNCH, json=WATER).json()["run_id"]
    with engine.begin() as connection:
        connection.execute(runs.update().values(submitted_at=sa.func.clock_timestamp(), status="STARTING"))
    cancel = f"{API}/runs/{run_id}/cancel"

    def requested_at() -> Any:
        with engine.connect() as connection:
            return connection.execute(sa.select(runs.c.cancel_requested_at)).scalar_one()

    assert ada.post(cancel).status_code == 202
    first = requested_at()
    assert first is not None
    assert ada.post(cancel).status_code == 202
    assert requested_at() == first
    end_run(engine, run_id, "CANCELED")
    assert_problem(ada.post(cancel), 409, "run_ended")


def test_runs_are_listed_newest_first_in_pages_and_filtered(ada: httpx.Client, engine: Engine) -> None:
    ada.post(f"{API}/graphs", json=document("other"))
    launched = [ada.post(LAUNCH, json=WATER).json()["run_id"] for _ in range(3)]
    other = ada.post(f"{API}/graphs/other/runs", json=WATER).json()["run_id"]
    end_run(engine, launched[1])

    def listed(**query: Any) -> list[str]:
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = ada.get(f"{API}/runs", params={"limit": 2, **query, **cursor}).json()
            seen += [run["run_id"] for run in page["items"]]
            if page["next_cursor"] is None:
                return seen
            cursor = {"cursor": page["next_cursor"]}

    assert listed() == [other, *reversed(launched)]
    assert listed(graph="mill") == list(reversed(launched))
    assert listed(status="SUCCESS") == [launched[1]]
    assert listed(status="QUEUED", graph="mill") == [launched[2], launched[0]]
    assert_problem(ada.get(f"{API}/runs", params={"status": "DONE"}), 422, "invalid_request")
    for query in ({"limit": 0}, {"limit": 201}):
        assert_problem(ada.get(f"{API}/runs", params=query), 422, "invalid_request")
    for cursor in ("nonsense", "WyJ4Il0", "WyJ4IiwieSJd", "\0", "é"):
        assert_problem(ada.get(f"{API}/runs", params={"cursor": cursor}), 400, "bad_cursor")
