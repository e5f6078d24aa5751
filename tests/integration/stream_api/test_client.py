"""The Python client against the served application: both transports, blocking and asynchronous."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import Engine

from headrace.client import AsyncClient, Client, Refused, Silence, Unreachable, Wanted
from headrace.client.wire import Transport
from platform_core.database.engine import transaction
from platform_core.identity.user_store import User, change_user
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import append, create_run
from tests.waiting import wait_until

Serve = Callable[..., Served]
Follow = Callable[..., Any]
TRANSPORTS: tuple[Transport, ...] = ("sse", "websocket")


@pytest.fixture
def run_id(engine: Engine, owner: User, connection: psycopg.Connection) -> str:
    """A run that has ended: queued, three lines of output, failed."""
    run_id = create_run(engine, owner)
    append(connection, run_id, "stdout", count=3)
    append(connection, run_id, "run.failed")
    return run_id


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("cursor", "wanted", "seqs"),
    [
        (None, Wanted(), [1, 2, 3, 4, 5]),
        ("3", Wanted(), [4, 5]),
        ("5", Wanted(), []),
        (None, Wanted(types=["run.*"]), [1, 5]),
        ("2", Wanted(level="error"), [5]),
    ],
)
async def test_a_run_is_followed_to_its_end_by_every_client(
    serve: Serve, token: str, run_id: str, transport: Transport, cursor: str | None, wanted: Wanted, seqs: list[int]
) -> None:
    url = serve().url
    async with AsyncClient(url, token) as asynchronous:
        found = [
            event["seq"]
            async for event in asynchronous.follow(run_id, cursor=cursor, wanted=wanted, transport=transport)
        ]
    assert found == seqs
    with Client(url, token) as client:
        events = client.follow(run_id, cursor=cursor, wanted=wanted, transport=transport)
        assert [event["seq"] for event in events] == seqs


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_the_server_refuses_is_not_tried_again(
    serve: Serve, token: str, run_id: str, transport: Transport
) -> None:
    url = serve().url
    with Client(url, token) as client, pytest.raises(Refused, match="run") as refused:
        list(client.follow("nothing", transport=transport))
    assert (refused.value.code, refused.value.status) == ("run_not_found", 404 if transport == "sse" else 4404)
    with Client(url, "nonsense") as client, pytest.raises(Refused):
        list(client.follow(run_id, transport=transport))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_that_stays_away_is_given_up(token: str, transport: Transport) -> None:
    with Client("http://127.0.0.1:9", token, patience=0.3) as client, pytest.raises(Unreachable):
        list(client.follow("run", transport=transport))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_caller_need_not_wait_for_ever(
    serve: Serve, token: str, engine: Engine, owner: User, transport: Transport
) -> None:
    run_id = create_run(engine, owner)
    with Client(serve().url, token) as client, pytest.raises(Silence):
        list(client.follow(run_id, until=time.monotonic() + 0.5, transport=transport))


async def test_what_is_stored_ends_without_waiting(
    serve: Serve, token: str, engine: Engine, owner: User, run_id: str, connection: psycopg.Connection
) -> None:
    goes_on = create_run(engine, owner)
    append(connection, goes_on, count=700)
    url = serve(heartbeat=600).url
    with Client(url, token) as client:
        assert [event["seq"] for event in client.stored(goes_on)] == list(range(1, 702))
        assert list(client.stored(goes_on, cursor="701")) == []
        assert [event["seq"] for event in client.stored(goes_on, wanted=Wanted(types=["run.*"]))] == [1]
        assert [event["seq"] for event in client.stored(run_id, cursor="3")] == [4, 5]
    async with AsyncClient(url, token) as asynchronous:
        assert [event["seq"] async for event in asynchronous.stored(goes_on, cursor="699")] == [700, 701]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_patience_begins_when_the_connection_is_lost(
    serve: Serve, token: str, engine: Engine, owner: User, connection: psycopg.Connection, transport: Transport
) -> None:
    """A run may be silent for longer than the server may be away."""
    run_id = create_run(engine, owner)
    served = serve()
    with Client(served.url, token, patience=10.0) as client:
        events = client.follow(run_id, transport=transport)
        assert next(events)["seq"] == 1
        progress_clock = time.monotonic
        with pytest.MonkeyPatch.context() as patch:
            # An hour passes without an event; nobody can wait for it.
            patch.setattr("headrace.client.progress.time.monotonic", lambda: progress_clock() + 3600)
            served.restart()
            append(connection, run_id, "run.succeeded")
            assert [event["seq"] for event in events] == [2]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_who_leaves_in_the_middle_is_gone_at_once(
    serve: Serve, token: str, engine: Engine, owner: User, connection: psycopg.Connection, transport: Transport
) -> None:
    run_id = create_run(engine, owner)
    append(connection, run_id, count=2000)
    served = serve()
    with Client(served.url, token) as client:
        events = client.follow(run_id, transport=transport)
        assert next(events)["seq"] == 1
        events.close()
    wait_until(lambda: served.streams.hub.followers == 0, "the server has noticed", 8.0)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_withdrawn_right_ends_following(
    serve: Serve, token: str, engine: Engine, owner: User, transport: Transport
) -> None:
    run_id = create_run(engine, owner)
    with Client(serve(right_check=0.05).url, token) as client:
        events = client.follow(run_id, transport=transport)
        assert next(events)["seq"] == 1
        with transaction(engine) as transacted:
            change_user(transacted, owner.name, disabled=True)
        with pytest.raises(Refused):
            next(events)


async def test_all_runs_of_a_graph_are_followed_over_one_socket(
    serve: Serve, token: str, engine: Engine, owner: User, connection: psycopg.Connection
) -> None:
    first = create_run(engine, owner)
    async with AsyncClient(serve().url, token) as client:
        async with aclosing(client.follow_all(graph="flow")) as events:
            assert (await anext(events))["run_id"] == first
            second = create_run(engine, owner)
            assert (await anext(events))["run_id"] == second
            append(connection, first, "run.succeeded")
            assert (await anext(events))["final"] is True
        with pytest.raises(Refused, match="no graph"):
            await anext(client.follow_all(graph="nothing"))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_stopping_server_sends_its_clients_to_the_next_one(
    serve: Serve, token: str, engine: Engine, owner: User, connection: psycopg.Connection, transport: Transport
) -> None:
    """Two servers behind one address: the first stops, and the client goes on with the second."""
    run_id = create_run(engine, owner)
    served = serve()
    seen: list[int] = []

    def follow() -> None:
        with Client(served.url, token) as client:
            seen.extend(event["seq"] for event in client.follow(run_id, transport=transport))

    follower = threading.Thread(target=follow)
    follower.start()
    append(connection, run_id, count=5)
    served.restart()
    append(connection, run_id, count=5)
    append(connection, run_id, "run.succeeded")
    follower.join(30)
    assert seen == list(range(1, 13))
