"""Runs in the store: accepted once with their first event, whoever asks at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy.engine import Connection, Engine

from platform_core import channels
from platform_core.database.engine import plain_url
from platform_core.errors import IdempotencyKeyReused, RunNotFound
from platform_core.graphs.graph_store import save_graph
from platform_core.identity.user_store import User
from platform_core.runs.run_event_store import read_events
from platform_core.runs.run_store import NewRun, accept_run, find_run, get_run, list_runs


@pytest.fixture
def new(engine: Engine, ada: User) -> NewRun:
    with engine.begin() as connection:
        graph, _ = save_graph(
            connection, owner_id=ada.id, name="mill", document="{}", sha256="0" * 64, created_by=ada.id
        )
    return NewRun(
        graph_id=graph.id,
        version=1,
        owner_id=ada.id,
        params={"water": 7, "text": "ü\0"},
        trigger_kind="manual",
        trigger_data={"delivery_id": "d"},
        tags={"team": "mill"},
        priority=3,
    )


def test_what_is_answered_is_what_is_stored_with_its_first_event(connection: Connection, new: NewRun) -> None:
    run, is_new = accept_run(connection, new)
    assert is_new
    assert run == get_run(connection, run.run_id)
    assert (run.graph, run.owner, run.status, run.params) == ("mill", "ada", "QUEUED", new.params)
    (event,) = read_events(connection, run.run_id, 0, 10)
    assert (event.seq, event.type, event.data, event.seq) == (1, "run.queued", {"trigger": "manual"}, run.last_seq)


def test_queue_and_followers_hear_of_it_once_it_is_committed(engine: Engine, new: NewRun, database_url: str) -> None:
    with psycopg.connect(plain_url(database_url), autocommit=True) as listener:
        listener.execute(f"LISTEN {channels.QUEUE}")
        listener.execute(f"LISTEN {channels.EVENTS}")
        with engine.begin() as connection:
            run, _ = accept_run(connection, new)
            assert list(listener.notifies(timeout=0)) == []
        heard = {notify.channel: notify.payload for notify in listener.notifies(timeout=10, stop_after=2)}
    assert heard == {channels.QUEUE: run.run_id, channels.EVENTS: f"{run.run_id}:1"}


def test_runs_without_a_key_are_each_their_own(connection: Connection, new: NewRun) -> None:
    assert accept_run(connection, new)[0].run_id != accept_run(connection, new)[0].run_id


def test_a_key_is_one_request_and_one_run(connection: Connection, new: NewRun) -> None:
    keyed = replace(new, idempotency_key="k", request_sha256="a")
    assert find_run(connection, new.graph_id, "k", "a") is None
    first, _ = accept_run(connection, keyed)
    assert accept_run(connection, keyed) == (first, False)
    assert find_run(connection, new.graph_id, "k", "a") == first
    with pytest.raises(IdempotencyKeyReused) as refused:
        accept_run(connection, replace(keyed, request_sha256="b"))
    assert refused.value.extensions == {"run_id": first.run_id}
    assert len(list_runs(connection).items) == len(read_events(connection, first.run_id, 0, 10)) == 1


def test_one_key_at_the_same_time_is_one_run(engine: Engine, new: NewRun) -> None:
    def accept(_: int) -> tuple[str, bool]:
        with engine.begin() as connection:
            run, is_new = accept_run(connection, replace(new, idempotency_key="k", request_sha256="a"))
            return run.run_id, is_new

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(accept, range(8)))
    assert len({run_id for run_id, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1


def test_an_unknown_run_is_not_found(connection: Connection) -> None:
    with pytest.raises(RunNotFound):
        get_run(connection, "none")
