"""WebSockets: one run or many on one socket, and how each of them ends."""

from __future__ import annotations

import json
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy.engine import Engine

from platform_core.database.engine import transaction
from platform_core.identity.keys import KeyRing
from platform_core.identity.user_store import User
from platform_core.runs.run_store import get_run
from stream_api.following.ending import Ending
from stream_api.following.follower import Follower
from stream_api.sessions.subscription import Outlet
from tests.integration.stream_api.conftest import Serve
from tests.integration.stream_api.runs import append, create_owner, create_run
from tests.integration.stream_api.socket_client import open_socket
from tests.tokens import bearer_token


def events(messages: list[dict[str, object]]) -> list[object]:
    return [message["seq"] for message in messages if "op" not in message]


def test_one_run_comes_as_over_sse_and_closes_normally(
    serve: Serve, token: str, run_id: str, connection: psycopg.Connection
) -> None:
    append(connection, run_id)
    served = serve()
    with open_socket(served.url, f"runs/{run_id}/ws", token) as socket:
        assert socket.hear() == {"op": "ready", "user": "ada"}
        assert [socket.hear()["seq"] for _ in range(2)] == [1, 2]
        append(connection, run_id, "run.succeeded")
        messages, code, reason = socket.rest()
    assert (code, reason) == (1000, "final")
    (final,) = messages
    assert [final] == served.client(token).events(run_id, "2")
    assert (final["final"], final["count"]) == (True, 3)


def test_a_socket_goes_on_after_its_cursor_and_filters(
    serve: Serve, token: str, run_id: str, connection: psycopg.Connection
) -> None:
    append(connection, run_id, "stdout", count=2)
    append(connection, run_id, "node.started")
    append(connection, run_id, "run.failed")
    with open_socket(serve().url, f"runs/{run_id}/ws", token, cursor="2", types="stdout") as socket:
        messages, code, _ = socket.rest()
    assert (events(messages), code) == ([3, 5], 1000)


def test_many_subscriptions_share_a_socket(
    serve: Serve, token: str, engine: Engine, owner: User, connection: psycopg.Connection
) -> None:
    first, second = create_run(engine, owner), create_run(engine, owner, "other")
    with open_socket(serve().url, "ws", token) as socket:
        socket.hear()
        socket.say(op="subscribe", id="a", run=first)
        assert [socket.hear(), socket.hear()["subscription"]] == [{"op": "subscribed", "id": "a"}, "a"]
        socket.say(op="subscribe", id="b", run=second, cursor="1", filters={"types": ["log"], "level": "info"})
        assert socket.hear() == {"op": "subscribed", "id": "b"}
        append(connection, second)
        event = socket.hear()
        assert (event["subscription"], event["run_id"], event["seq"]) == ("b", second, 2)
        append(connection, first, "run.succeeded")
        assert socket.hear()["final"] is True
        assert socket.hear() == {
            "op": "unsubscribed",
            "id": "a",
            "reason": "final",
            "detail": "The final event was sent.",
            "cursor": "2",
        }
        socket.say(op="unsubscribe", id="b")
        assert socket.hear() == {
            "op": "unsubscribed",
            "id": "b",
            "reason": "requested",
            "detail": "The client unsubscribed.",
            "cursor": "2",
        }
        socket.say(op="ping", data="still there?")
        assert socket.hear() == {"op": "pong", "data": "still there?"}


@pytest.mark.parametrize("target", [{"graph": "flow"}, {"mine": True}])
def test_all_runs_of_a_graph_or_a_user_come_and_can_be_gone_on_with(
    serve: Serve,
    token: str,
    engine: Engine,
    owner: User,
    connection: psycopg.Connection,
    target: dict[str, object],
) -> None:
    create_run(engine, create_owner(engine, "eve"))
    before, after = create_run(engine, owner), None
    served = serve()
    with open_socket(served.url, "ws", token) as socket:
        socket.hear()
        socket.say(op="subscribe", id="all", **target)
        seen = socket.hear_until(run_id=before, seq=1)
        after = create_run(engine, owner)
        seen += socket.hear_until(run_id=after, seq=1)
        append(connection, before, "run.succeeded")
        seen += socket.hear_until(run_id=before, seq=2)
        cursor = socket.hear_until(op="position")[-1]["cursor"]
    assert {message["run_id"] for message in seen if "op" not in message} == {before, after}
    append(connection, after)
    third = create_run(engine, owner)
    with open_socket(served.url, "ws", token) as socket:
        socket.hear()
        socket.say(op="subscribe", id="all", cursor=cursor, **target)
        found: set[tuple[str, int]] = set()
        while len(found) < 2:
            message = socket.hear()
            if "op" not in message:
                found.add((message["run_id"], message["seq"]))
    assert found == {(after, 2), (third, 1)}


def test_acknowledgements_hold_back_the_server(
    serve: Serve, token: str, run_id: str, connection: psycopg.Connection
) -> None:
    append(connection, run_id, count=9)
    with open_socket(serve().url, "ws", token) as socket:
        socket.hear()
        socket.say(op="subscribe", id="a", run=run_id, window=3)
        assert events(socket.hear_until(seq=3)) == [1, 2, 3]
        socket.say(op="ping")
        assert socket.hear()["op"] == "pong"
        socket.say(op="ack", id="a", count=2)
        socket.say(op="ping")
        assert {socket.hear().get("seq") for _ in range(3)} == {4, 5, None}


def test_a_run_can_be_canceled_by_those_who_may(
    serve: Serve, token: str, run_id: str, engine: Engine, keys: KeyRing, connection: psycopg.Connection
) -> None:
    viewer = bearer_token(engine, keys, create_owner(engine, "vic", "viewer").id, 600)
    url = serve().url
    with open_socket(url, "ws", viewer) as socket:
        socket.hear()
        socket.say(op="cancel", run=run_id)
        assert socket.hear()["code"] == "forbidden"
    with open_socket(url, "ws", token) as socket:
        socket.hear()
        socket.say(op="cancel", run=run_id)
        assert socket.hear() == {"op": "canceling", "run": run_id}
        socket.say(op="cancel", run="nothing")
        assert socket.hear()["code"] == "run_not_found"
    query = "SELECT status FROM headrace.runs WHERE run_id = %s"
    assert connection.execute(query, (run_id,)).fetchone() == ("CANCELED",)  # at once, since it was waiting
    with transaction(engine) as transacted:
        assert get_run(transacted, run_id).run_id == run_id


def test_a_client_may_acknowledge_to_the_very_end_while_it_follows_others(
    serve: Serve, token: str, engine: Engine, owner: User, connection: psycopg.Connection
) -> None:
    first, second = create_run(engine, owner), create_run(engine, owner, "other")
    append(connection, first, count=4)
    append(connection, first, "run.succeeded")
    with open_socket(serve().url, "ws", token) as socket:
        socket.hear()
        for label, run_id in (("a", first), ("b", second)):
            socket.say(op="subscribe", id=label, run=run_id, window=2)
        seen: dict[str, list[int]] = {"a": [], "b": []}
        ended: list[str] = []
        while ended != ["a", "b"]:
            message = socket.hear()
            if "op" not in message:
                label = message["subscription"]
                seen[label].append(message["seq"])
                socket.say(op="ack", id=label, count=1)
            elif message["op"] == "unsubscribed":
                ended.append(message["id"])
                # What a client that is late still says of a subscription that has ended.
                socket.say(op="ack", id=message["id"], count=1)
                socket.say(op="unsubscribe", id=message["id"])
                socket.say(op="ping", data=message["id"])
                if message["id"] == "a":
                    append(connection, second, count=4)
                    append(connection, second, "run.failed")
            else:
                assert message["op"] in {"subscribed", "pong"}
        assert socket.hear() == {"op": "pong", "data": "b"}
    assert seen == {"a": [1, 2, 3, 4, 5, 6], "b": [1, 2, 3, 4, 5, 6]}


def test_a_subscription_can_be_ended_at_once_and_its_label_used_again(serve: Serve, token: str, run_id: str) -> None:
    with open_socket(serve(streams_per_user=1).url, "ws", token) as socket:
        socket.hear()
        for _ in range(20):
            socket.say(op="subscribe", id="a", run=run_id)
            socket.say(op="unsubscribe", id="a")
            socket.say(op="unsubscribe", id="a")
            assert socket.hear_until(op="unsubscribed")[-1]["reason"] == "requested"
        socket.say(op="subscribe", id="a", run=run_id)
        assert socket.hear_until(seq=1)[0] == {"op": "subscribed", "id": "a"}


def test_what_breaks_in_one_subscription_breaks_no_other(
    serve: Serve,
    token: str,
    run_id: str,
    engine: Engine,
    owner: User,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = create_run(engine, owner)
    forward = Outlet.forward

    async def broken(outlet: Outlet, follower: Follower, moved: Callable[[int], None]) -> Ending:
        if outlet.label == "bad":
            raise KeyError("a fault that nobody thought of")
        return await forward(outlet, follower, moved)

    monkeypatch.setattr(Outlet, "forward", broken)
    with open_socket(serve().url, "ws", token) as socket:
        socket.hear()
        socket.say(op="subscribe", id="good", run=run_id)
        socket.hear_until(seq=1)
        for target in ({"run": bad}, {"mine": True}):
            socket.say(op="subscribe", id="bad", **target)
            ended = socket.hear_until(op="unsubscribed")[-1]
            assert (ended["id"], ended["reason"]) == ("bad", "internal_error")
        append(connection, run_id)
        assert socket.hear()["seq"] == 2
    assert "a subscription of a socket failed" in caplog.text


def test_what_is_sent_over_sockets_is_counted(
    serve: Serve, token: str, run_id: str, connection: psycopg.Connection
) -> None:
    append(connection, run_id, "run.succeeded")
    served = serve()
    with open_socket(served.url, f"runs/{run_id}/ws", token) as socket:
        messages = socket.rest()[0]
    size = sum(len(json.dumps(message, separators=(",", ":"))) for message in messages if "op" not in message)
    lines = served.http.get(f"{served.url}/metrics").text.splitlines()
    assert 'headrace_stream_events_total{transport="websocket"} 2.0' in lines
    assert f'headrace_stream_bytes_total{{transport="websocket"}} {float(size)}' in lines
    assert 'headrace_stream_endings_total{reason="final",transport="websocket"} 1.0' in lines
