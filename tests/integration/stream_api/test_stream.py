"""One stream, from its first byte to its last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import psycopg
import psycopg.sql
import pytest
from sqlalchemy.engine import Engine

from platform_core.identity.user_store import User
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import append, create_run
from tests.integration.stream_api.sse_client import Block
from tests.waiting import wait_until

Serve = Callable[..., Served]


@pytest.fixture
def run_id(engine: Engine, owner: User) -> str:
    return create_run(engine, owner)


def test_a_stream_tells_the_client_when_to_come_back_before_any_event(serve: Serve, token: str, run_id: str) -> None:
    with serve().client(token).open(run_id, "1") as blocks:
        assert next(blocks) == Block(None, None, None, None, "1000")


def test_history_and_live_events_end_with_a_final_one_that_counts(
    serve: Serve, token: str, run_id: str, connection: psycopg.Connection
) -> None:
    append(connection, run_id, message="before")
    with serve().client(token).open(run_id) as blocks:
        next(blocks)
        assert [next(blocks).id for _ in range(2)] == ["1", "2"]
        append(connection, run_id, message="while watched")
        append(connection, run_id, "run.succeeded", message="done")
        live, final = blocks
    assert live.data is not None
    assert datetime.fromisoformat(live.data.pop("ts")).tzinfo is not None
    assert (live.id, live.event) == ("3", "log")
    assert live.data == {
        "id": "3",
        "run_id": run_id,
        "seq": 3,
        "type": "log",
        "node": None,
        "item": None,
        "level": "info",
        "message": "while watched",
        "data": {"key": "value"},
    }
    assert final.data is not None
    assert (final.id, final.event) == ("4", "run.succeeded")
    assert (final.data["final"], final.data["count"]) == (True, 4)


def test_times_are_utc_wherever_the_database_lives(
    serve: Serve, token: str, run_id: str, connection: psycopg.Connection
) -> None:
    database = psycopg.sql.Identifier(connection.info.dbname)
    connection.execute(psycopg.sql.SQL("ALTER DATABASE {} SET timezone TO 'Asia/Tokyo'").format(database))
    append(connection, run_id, "run.succeeded")
    events = serve().client(token).events(run_id)
    assert [datetime.fromisoformat(event["ts"]).utcoffset() for event in events] == [timedelta(0)] * 2


def test_an_ended_run_can_be_followed_from_every_cursor(
    serve: Serve, token: str, run_id: str, connection: psycopg.Connection
) -> None:
    append(connection, run_id, count=8)
    append(connection, run_id, "run.failed")
    client = serve().client(token)
    for cursor in range(10):
        assert [event["seq"] for event in client.events(run_id, str(cursor))] == list(range(cursor + 1, 11))


@pytest.mark.parametrize("cursor", ["3", "4", "2147483647"])
def test_who_has_seen_the_final_event_is_told_not_to_come_back(
    serve: Serve, token: str, run_id: str, connection: psycopg.Connection, cursor: str
) -> None:
    append(connection, run_id)
    append(connection, run_id, "run.canceled")
    response = httpx.get(
        f"{serve().url}/api/v1/runs/{run_id}/events",
        params={"cursor": cursor},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize(
    ("header", "query", "first"), [(None, "2", 3), ("3", None, 4), ("3", "1", 4), ("", "2", 3), (None, None, 1)]
)
def test_the_header_of_a_reconnect_wins_over_the_cursor_of_the_address(
    serve: Serve,
    token: str,
    run_id: str,
    connection: psycopg.Connection,
    header: str | None,
    query: str | None,
    first: int,
) -> None:
    append(connection, run_id, count=3)
    append(connection, run_id, "run.succeeded")
    response = httpx.get(
        f"{serve().url}/api/v1/runs/{run_id}/events",
        params={} if query is None else {"cursor": query},
        headers={"Authorization": f"Bearer {token}"} | ({} if header is None else {"Last-Event-ID": header}),
    )
    ids = [int(line.removeprefix("id: ")) for line in response.text.splitlines() if line.startswith("id: ")]
    assert ids == list(range(first, 6))


def test_proxies_are_told_neither_to_buffer_nor_to_store_nor_is_it_compressed(
    serve: Serve, token: str, run_id: str, connection: psycopg.Connection
) -> None:
    append(connection, run_id, "run.succeeded")
    response = httpx.get(
        f"{serve().url}/api/v1/runs/{run_id}/events",
        headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip, br"},
    )
    names = ("content-type", "cache-control", "x-accel-buffering", "content-encoding")
    assert [response.headers.get(name) for name in names] == [
        "text/event-stream; charset=utf-8",
        "no-store",
        "no",
        None,
    ]


def test_an_idle_stream_sends_heartbeats(serve: Serve, token: str, run_id: str) -> None:
    with serve(heartbeat=0.05).client(token).open(run_id, "1") as blocks:
        assert [next(blocks).comment for _ in range(4)] == [None, "heartbeat", "heartbeat", "heartbeat"]


def test_a_disconnect_frees_the_subscription(
    serve: Serve, token: str, run_id: str, connection: psycopg.Connection
) -> None:
    served = serve()
    with served.client(token).open(run_id) as blocks:
        next(blocks)
        next(blocks)
        assert (served.streams.hub.followers, served.streams.hub.followed_runs) == (1, 1)
    wait_until(lambda: served.streams.hub.followers == 0, "the stream of the client that left is gone")
    assert served.streams.hub.followed_runs == 0


def test_a_run_deleted_meanwhile_ends_the_stream(
    serve: Serve, token: str, run_id: str, connection: psycopg.Connection
) -> None:
    append(connection, run_id, count=2000)
    served = serve()
    with served.client(token).open(run_id, "2001") as newest, served.client(token).open(run_id) as blocks:
        next(newest)
        next(blocks)
        connection.execute("DELETE FROM headrace.runs WHERE run_id = %s", (run_id,))
        assert len(list(blocks)) < 2001
