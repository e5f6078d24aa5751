"""Answers to runs that wait, over HTTP: by who may, once, in time and of the right form."""

from __future__ import annotations

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
from platform_core.runs.run_store import LAUNCHED_BY
from platform_core.runs.wait_store import answers_of, close_wait, token_hash
from tests.integration.trigger_api.conftest import API, Login, assert_problem, document, end_run
from tests.integration.trigger_api.waits.rows import ANYBODY, waiting

SCHEMA = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
APPROVE = {"decision": "approve"}


@pytest.fixture
def run_id(ada: httpx.Client, engine: Engine) -> str:
    """A run of ada's that waits without a worker."""
    ada.post(f"{API}/graphs", json=document())
    run_id = str(ada.post(f"{API}/graphs/mill/runs", json={"params": {"water": 7}}).json()["run_id"])
    later = sa.func.clock_timestamp() + sa.text("interval '1 hour'")
    with engine.begin() as connection:
        asleep = {"status": "WAITING", "wake_at": later, "submitted_at": sa.func.clock_timestamp()}
        connection.execute(runs.update().where(runs.c.run_id == run_id).values(asleep))
    return run_id


def event(engine: Engine, run_id: str, token: str = "t" * 43, **columns: Any) -> str:
    """The address at which the run waits for an event."""
    waiting(engine, run_id, "paid", kind="event", token_hash=token_hash(token), **columns)
    return f"{API}/waits/{token}"


def is_awake(engine: Engine, run_id: str) -> bool:
    with engine.connect() as connection:
        due = sa.select(runs.c.wake_at <= sa.func.clock_timestamp()).where(runs.c.run_id == run_id)
        return bool(connection.execute(due).scalar_one())


def answer_of(engine: Engine, run_id: str, step: str) -> Any:
    with engine.connect() as connection:
        return answers_of(connection, run_id, [step]).get(step)


def test_event_counts_once_wakes_the_run_and_tells_its_caller_nothing(
    anonymous: httpx.Client, engine: Engine, run_id: str, database_url: str
) -> None:
    address = event(engine, run_id)
    with psycopg.connect(plain_url(database_url), autocommit=True) as listener:
        listener.execute(f"LISTEN {channels.QUEUE}")
        told = anonymous.post(address, json={"sum": 3})
        assert (told.status_code, told.json()) == (202, {"accepted": True})
        assert [notify.payload for notify in listener.notifies(timeout=10, stop_after=1)] == [run_id]
    assert is_awake(engine, run_id)
    assert answer_of(engine, run_id, "paid").value == {"sum": 3}
    assert_problem(anonymous.post(address, json={"sum": 4}), 409, "wait_answered")
    assert answer_of(engine, run_id, "paid").value == {"sum": 3}


def test_of_many_answers_at_the_same_instant_one_counts(ada: httpx.Client, engine: Engine, run_id: str) -> None:
    waiting(engine, run_id)
    with ThreadPoolExecutor(8) as callers:
        url = f"{API}/runs/{run_id}/waits/ask"
        answered = [
            caller.result().status_code for caller in [callers.submit(ada.post, url, json=APPROVE) for _ in range(8)]
        ]
    assert sorted(answered) == [202] + [409] * 7


def test_address_that_is_guessed_is_not_found(anonymous: httpx.Client, engine: Engine, run_id: str) -> None:
    event(engine, run_id)
    assert_problem(anonymous.post(f"{API}/waits/{'u' * 43}", json={}), 404, "wait_not_found")
    assert not is_awake(engine, run_id)


def test_body_that_does_not_fit_is_refused_with_its_place_and_another_may_follow(
    anonymous: httpx.Client, engine: Engine, run_id: str
) -> None:
    address = event(engine, run_id, asked=ANYBODY | {"schema": SCHEMA})
    problem = assert_problem(anonymous.post(address, json={"sum": "3"}), 422, "invalid_answer")
    assert [issue["path"] for issue in problem["issues"]] == ["/body/sum"]
    assert anonymous.post(address, json={"sum": 3}).status_code == 202


@pytest.mark.parametrize("late", ["expired", "closed", "ended"])
def test_late_answer_is_told_so(anonymous: httpx.Client, engine: Engine, run_id: str, late: str) -> None:
    address = event(engine, run_id, hours=-1 if late == "expired" else 1)
    if late == "ended":
        end_run(engine, run_id)
    elif late == "closed":
        with engine.begin() as connection:
            close_wait(connection, run_id, "paid")
    assert_problem(anonymous.post(address, json={}), 410, "wait_expired")


def test_decision_is_kept_with_who_made_it_and_the_form(ada: httpx.Client, engine: Engine, run_id: str) -> None:
    waiting(engine, run_id, "call[2]/ask", asked=ANYBODY | {"schema": SCHEMA})
    url = f"{API}/runs/{run_id}/waits/call[2]/ask"
    problem = assert_problem(ada.post(url, json={"decision": "reject"}), 422, "invalid_answer")
    assert [issue["path"] for issue in problem["issues"]] == ["/form"]
    assert ada.post(url, json={"decision": "reject", "form": {"sum": 1}}).status_code == 202
    given = answer_of(engine, run_id, "call[2]/ask")
    assert (given.by, given.approves, given.value) == ("ada", False, {"sum": 1})
    assert is_awake(engine, run_id)


@pytest.mark.parametrize(
    ("asked", "ada_may", "ida_may", "root_may"),
    [
        ({}, 202, 404, 202),
        ({"who": ["role:admin"]}, 403, 404, 202),
        ({"who": ["role:operator"]}, 202, 404, 202),
        ({"who": ["user:ida"]}, 403, 202, 403),
        ({"not_by": ["starter"]}, 403, 404, 202),
        ({"who": ["user:ada"], "not_by": ["starter"]}, 403, 404, 403),
    ],
)
def test_only_who_may_answers(
    ada: httpx.Client, admin: httpx.Client, login: Login, engine: Engine, run_id: str,
    asked: dict[str, Any], ada_may: int, ida_may: int, root_may: int,
) -> None:  # fmt: skip
    callers = {"ada": (ada, ada_may), "ida": (login("ida", "operator"), ida_may), "root": (admin, root_may)}
    for name, (caller, expected) in callers.items():
        waiting(engine, run_id, name, asked=ANYBODY | asked)
        listed = [one["may_answer"] for one in caller.get(f"{API}/waits").json()["items"] if one["node"] == name]
        assert listed == ([] if expected == 404 else [expected == 202])
        assert caller.post(f"{API}/runs/{run_id}/waits/{name}", json=APPROVE).status_code == expected


def test_starter_is_who_launched_the_run_in_dagsters_ui(
    ada: httpx.Client, admin: httpx.Client, engine: Engine, run_id: str
) -> None:
    waiting(engine, run_id, asked=ANYBODY | {"not_by": ["starter"]})
    with engine.begin() as connection:
        connection.execute(runs.update().where(runs.c.run_id == run_id).values(tags={LAUNCHED_BY: "root"}))
    assert_problem(admin.post(f"{API}/runs/{run_id}/waits/ask", json=APPROVE), 403, "forbidden")
    assert ada.post(f"{API}/runs/{run_id}/waits/ask", json=APPROVE).status_code == 202


def test_viewer_and_a_stranger_to_the_door_answer_nothing(
    anonymous: httpx.Client, login: Login, engine: Engine, run_id: str
) -> None:
    waiting(engine, run_id, asked=ANYBODY | {"who": ["user:vi"]})
    url = f"{API}/runs/{run_id}/waits/ask"
    assert_problem(login("vi", "viewer").post(url, json=APPROVE), 403, "forbidden")
    assert_problem(anonymous.post(url, json=APPROVE), 401, "unauthorized")


def test_event_is_no_approval_and_an_unknown_node_asks_nothing(ada: httpx.Client, engine: Engine, run_id: str) -> None:
    event(engine, run_id)
    for node in ("paid", "other"):
        assert_problem(ada.post(f"{API}/runs/{run_id}/waits/{node}", json=APPROVE), 404, "wait_not_found")


def test_run_says_what_it_waits_for_and_the_list_has_all_by_pages(
    ada: httpx.Client, engine: Engine, run_id: str
) -> None:
    waiting(engine, run_id)
    event(engine, run_id, hours=2)
    url = f"http://headrace.test/api/v1/runs/{run_id}/waits/ask"
    found = ada.get(f"{API}/runs/{run_id}").json()["waits"]
    assert [(one["node"], one["for"], one["url"]) for one in found] == [
        ("ask", "approval", url),
        ("paid", "event", None),
    ]
    first = ada.get(f"{API}/waits", params={"limit": 1}).json()
    second = ada.get(f"{API}/waits", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [one["node"] for one in (*first["items"], *second["items"])] == ["ask", "paid"]
    assert second["next_cursor"] is None
    ada.post(f"{API}/runs/{run_id}/waits/ask", json=APPROVE)
    assert [one["node"] for one in ada.get(f"{API}/runs/{run_id}").json()["waits"]] == ["paid"]
