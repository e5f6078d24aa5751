"""Subscriptions to all runs of a graph or a user, when there are many, and when their cursors come back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import Engine

from platform_core.identity.user_store import User
from stream_api.following.tail import Tail
from stream_api.sessions import group_subscription
from stream_api.sessions.group_cursor import GroupPlace, encode
from stream_api.sessions.run_group import OVERLAP
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import append, create_owner, create_run
from tests.integration.stream_api.socket_client import Socket, open_socket

Serve = Callable[..., Served]
TARGETS: list[dict[str, object]] = [{"graph": "flow"}, {"mine": True}]

_COPY = """
    WITH copied AS (
        INSERT INTO headrace.runs (run_id, graph_id, version, owner_id, status, trigger_kind, params, tags, last_seq,
            created_at)
        SELECT gen_random_uuid()::text, graph_id, version, owner_id, status, trigger_kind, params, tags, 1, %(date)s
        FROM headrace.runs, generate_series(1, %(count)s) WHERE run_id = %(run_id)s
        RETURNING run_id
    ), written AS (
        INSERT INTO headrace.run_events (run_id, seq, ts, type, level, message, data)
        SELECT run_id, 1, clock_timestamp(), 'run.queued', 'info', 'The run was accepted.', '{}' FROM copied
    )
    SELECT run_id FROM copied
"""


def create_runs(connection: psycopg.Connection, engine: Engine, owner: User, count: int) -> set[str]:
    """Runs that wait in the queue, accepted at the same moment and long ago."""
    first = create_run(engine, owner)
    long_ago = datetime.now(UTC) - 6 * OVERLAP
    connection.execute("UPDATE headrace.runs SET created_at = %s WHERE run_id = %s", (long_ago, first))
    arguments = {"count": count - 1, "run_id": first, "date": long_ago}
    return {first} | {row[0] for row in connection.execute(_COPY, arguments).fetchall()}


def subscribe(socket: Socket, **more: object) -> None:
    assert socket.hear()["op"] == "ready"
    socket.say(op="subscribe", id="all", **more)
    assert socket.hear() == {"op": "subscribed", "id": "all"}


def hear_runs(socket: Socket, count: int) -> tuple[set[tuple[str, int]], str]:
    """The next `count` events, and the first cursor after them."""
    found: list[tuple[str, int]] = []
    while len(found) < count:
        message = socket.hear()
        if "op" not in message:
            found.append((message["run_id"], message["seq"]))
    assert len(set(found)) == len(found)
    return set(found), socket.hear_until(op="position")[-1]["cursor"]


@pytest.mark.parametrize("target", TARGETS)
def test_every_run_that_has_not_ended_comes_and_its_cursor_can_be_sent_back(
    serve: Serve,
    token: str,
    engine: Engine,
    owner: User,
    connection: psycopg.Connection,
    target: dict[str, object],
) -> None:
    runs = create_runs(connection, engine, owner, 1500)
    url = serve().url
    with open_socket(url, "ws", token) as socket:
        subscribe(socket, **target)
        events, cursor = hear_runs(socket, 1500)
    assert events == {(run_id, 1) for run_id in runs}
    moved = sorted(runs)[:3]
    for run_id in moved:
        append(connection, run_id)
    with open_socket(url, "ws", token) as socket:
        subscribe(socket, cursor=cursor, **target)
        assert hear_runs(socket, 3)[0] == {(run_id, 2) for run_id in moved}
        append(connection, moved[0], "run.succeeded")
        events, _ = hear_runs(socket, 1)
        assert events == {(moved[0], 3)}


def test_runs_that_wait_in_the_queue_hide_none_that_is_executed(
    serve: Serve,
    token: str,
    engine: Engine,
    owner: User,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_subscription, "MOST_AT_ONCE", 3)
    runs = create_runs(connection, engine, owner, 12)
    served = serve()
    with open_socket(served.url, "ws", token) as socket:
        subscribe(socket, mine=True)
        hear_runs(socket, 12)
        assert served.streams.hub.followed_runs <= 3
        for seq in (2, 3):
            for run_id in runs:
                append(connection, run_id)
            assert hear_runs(socket, 12)[0] == {(run_id, seq) for run_id in runs}
        late = create_run(engine, owner)
        assert hear_runs(socket, 1)[0] == {(late, 1)}


def test_the_window_of_many_runs_is_not_used_up_by_runs_that_give_up_their_place(
    serve: Serve,
    token: str,
    engine: Engine,
    owner: User,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_subscription, "MOST_AT_ONCE", 2)
    runs = create_runs(connection, engine, owner, 9)
    with open_socket(serve().url, "ws", token) as socket:
        subscribe(socket, mine=True, window=1)
        found: list[tuple[str, int]] = []
        while len(found) < 36:
            message = socket.hear()
            if "op" not in message:
                found.append((message["run_id"], message["seq"]))
                socket.say(op="ack", id="all", count=1)
                if len(found) <= 27:
                    append(connection, message["run_id"])
    for run_id in runs:
        seqs = [seq for found_id, seq in found if found_id == run_id]
        assert seqs == list(range(1, len(seqs) + 1))


def test_a_run_whose_following_fails_is_followed_again(
    serve: Serve,
    token: str,
    engine: Engine,
    owner: User,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(group_subscription, "RETRY_SECONDS", 0.05)
    run_id, other = create_run(engine, owner), create_run(engine, owner)
    advance = Tail._advance
    broken = {run_id}

    async def fail_once(tail: Tail) -> bool:
        if tail.run_id in broken and tail.end == 2:
            broken.discard(tail.run_id)
            raise KeyError("a fault that nobody thought of")
        return await advance(tail)

    monkeypatch.setattr(Tail, "_advance", fail_once)
    with open_socket(serve().url, "ws", token) as socket:
        subscribe(socket, mine=True)
        assert hear_runs(socket, 2)[0] == {(run_id, 1), (other, 1)}
        append(connection, run_id)
        assert hear_runs(socket, 1)[0] == {(run_id, 2)}
        append(connection, run_id)
        append(connection, other)
        assert hear_runs(socket, 2)[0] == {(run_id, 3), (other, 2)}
    assert broken == set()
    assert f"following run {run_id} failed" in caplog.text


@pytest.mark.parametrize("target", TARGETS)
def test_a_cursor_that_names_runs_of_others_shows_nothing_of_them(
    serve: Serve, token: str, engine: Engine, owner: User, target: dict[str, object]
) -> None:
    mine = create_run(engine, owner)
    theirs = create_run(engine, create_owner(engine, "eve"))
    nobodys = str(uuid.uuid4())
    place = GroupPlace(datetime.now(UTC), {theirs: 0, nobodys: 0, mine: 0})
    with open_socket(serve().url, "ws", token) as socket:
        subscribe(socket, cursor=encode(place), **target)
        assert hear_runs(socket, 1)[0] == {(mine, 1)}
        socket.say(op="ping")
        assert [message["op"] for message in socket.hear_until(op="pong") if message.get("op") != "position"] == [
            "pong"
        ]


@pytest.mark.parametrize("ahead", ["run", "time"])
def test_a_cursor_ahead_of_its_runs_ends_the_subscription_and_nothing_else(
    serve: Serve, token: str, engine: Engine, owner: User, ahead: str
) -> None:
    run_id = create_run(engine, owner)
    now = datetime.now(UTC)
    place = GroupPlace(now, {run_id: 99}) if ahead == "run" else GroupPlace(now + timedelta(days=1))
    with open_socket(serve().url, "ws", token) as socket:
        subscribe(socket, mine=True, cursor=encode(place))
        ended: dict[str, Any] = socket.hear_until(op="unsubscribed")[-1]
        assert (ended["id"], ended["reason"]) == ("all", "bad_cursor")
        socket.say(op="subscribe", id="all", mine=True)
        assert socket.hear_until(run_id=run_id)[-1]["seq"] == 1
