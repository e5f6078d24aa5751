"""WebSockets: one run or many on one socket, and how each of them ends."""

from __future__ import annotations

import json
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy.engine import Engine

from platform_core.database.engine import transaction
from platform_core.identity.auth import issue_token
from platform_core.identity.keys import KeyRing
from platform_core.identity.ticket_store import issue_ticket
from platform_core.identity.user_store import User, change_user
from platform_core.runs.run_store import get_run
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import append, create_owner, create_run
from tests.integration.stream_api.socket_client import open_socket

Serve = Callable[..., Served]


@pytest.fixture
def run_id(engine: Engine, owner: User) -> str:
    return create_run(engine, owner)


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


def test_a_socket_goes_on_behind_its_cursor_and_filters(
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


def test_a_run_can_be_cancelled_by_those_who_may(
    serve: Serve, token: str, run_id: str, engine: Engine, keys: KeyRing, connection: psycopg.Connection
) -> None:
    viewer = issue_token(keys, create_owner(engine, "vic", "viewer").id, 600)
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


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("nonsense", "Invalid JSON"),
        ("[]", "object"),
        ('{"op": "shout"}', "op"),
        ('{"op": "ping", "extra": 1}', "extra"),
        ('{"op": "subscribe", "id": "a"}', "name one of"),
        ('{"op": "subscribe", "id": "a", "run": "x", "mine": true}', "name one of"),
        ('{"op": "unsubscribe", "id": "nobody"}', "no subscription"),
        ('{"op": "ack", "count": 0}', "count"),
        (b"{}", "text"),
    ],
)
def test_a_malformed_message_closes_the_socket_and_says_why(
    serve: Serve, token: str, text: str | bytes, detail: str
) -> None:
    with open_socket(serve().url, "ws", token) as socket:
        socket.hear()
        socket.connection.send(text)
        (error,), code, reason = socket.rest()
    assert (error["op"], error["code"], code, reason) == ("error", "bad_message", 4400, "bad_message")
    assert detail in error["detail"]


def test_a_message_that_is_too_large_closes_the_socket(serve: Serve, token: str) -> None:
    with open_socket(serve().url, "ws", token) as socket:
        socket.hear()
        socket.say(op="ping", data="x" * 70_000)
        assert socket.rest()[1] == 1009


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"run": "nothing"}, "run_not_found"),
        ({"graph": "nothing"}, "graph_not_found"),
        ({"graph": "\0"}, "graph_not_found"),
        ({"run": "RUN", "cursor": "x"}, "bad_cursor"),
        ({"run": "RUN", "cursor": "99"}, "bad_cursor"),
        ({"mine": True, "cursor": "x"}, "bad_cursor"),
        ({"mine": True, "cursor": "W10="}, "bad_cursor"),
        ({"run": "RUN", "filters": {"types": ["nonsense"]}}, "bad_filter"),
        ({"run": "RUN", "filters": {"level": "loud"}}, "bad_filter"),
    ],
)
def test_a_refused_subscription_leaves_the_socket_open(
    serve: Serve, token: str, run_id: str, message: dict[str, object], code: str
) -> None:
    with open_socket(serve().url, "ws", token) as socket:
        socket.hear()
        socket.say(op="subscribe", id="a", **message | ({"run": run_id} if message.get("run") == "RUN" else {}))
        error = socket.hear()
        assert (error["op"], error["id"], error["code"]) == ("error", "a", code)
        socket.say(op="ping")
        assert socket.hear()["op"] == "pong"


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("runs/nothing/ws", {}, 4404),
        ("runs/RUN/ws", {"cursor": "x"}, 4400),
        ("runs/RUN/ws", {"types": "nonsense"}, 4400),
        ("runs/RUN/ws", {"ticket": "nonsense"}, 4401),
    ],
)
def test_a_socket_of_one_run_is_closed_with_the_code_of_its_error(
    serve: Serve, token: str, run_id: str, path: str, query: dict[str, str], code: int
) -> None:
    bearer = None if "ticket" in query else token
    with open_socket(serve().url, path.replace("RUN", run_id), bearer, **query) as socket:
        assert socket.rest()[1] == code


def test_strangers_do_not_follow(serve: Serve, run_id: str, engine: Engine, keys: KeyRing) -> None:
    url = serve().url
    with open_socket(url, f"runs/{run_id}/ws", issue_token(keys, create_owner(engine, "eve").id, 600)) as socket:
        assert socket.rest()[1:] == (4404, "run_not_found")
    with open_socket(url, f"runs/{run_id}/ws", "nonsense") as socket:
        assert socket.rest()[1:] == (4401, "unauthorized")
    with open_socket(url, "ws", issue_token(keys, "00000000-0000-0000-0000-000000000000", 600)) as socket:
        assert socket.rest()[1:] == (4401, "unauthorized")


def test_a_browser_may_say_who_it_is_by_ticket_or_by_its_first_message(
    serve: Serve, token: str, run_id: str, engine: Engine, owner: User
) -> None:
    url = serve().url
    with transaction(engine) as transacted:
        ticket = issue_ticket(transacted, owner.id, run_id)
    with open_socket(url, f"runs/{run_id}/ws", ticket=ticket) as socket:
        assert events(socket.hear_until(seq=1)) == [1]
    with open_socket(url, f"runs/{run_id}/ws", ticket=ticket) as socket:
        assert socket.rest()[1] == 4401
    with open_socket(url, f"runs/{run_id}/ws") as socket:
        socket.say(op="authenticate", token=token)
        assert events(socket.hear_until(seq=1)) == [1]
    with open_socket(url, "ws") as socket:
        socket.say(op="subscribe", id="a", run=run_id)
        assert socket.rest()[1] == 4400


@pytest.mark.parametrize("path", ["ws", "runs/RUN/ws"])
def test_a_withdrawn_right_ends_the_socket(
    serve: Serve, token: str, run_id: str, engine: Engine, owner: User, path: str
) -> None:
    with open_socket(serve(right_check=0.05).url, path.replace("RUN", run_id), token) as socket:
        socket.hear()
        if path == "ws":
            socket.say(op="subscribe", id="a", run=run_id)
        socket.hear_until(seq=1)
        with transaction(engine) as transacted:
            change_user(transacted, owner.name, disabled=True)
        assert socket.rest()[1] == 4401


def test_a_token_can_be_renewed_before_it_expires(serve: Serve, run_id: str, owner: User, keys: KeyRing) -> None:
    short = issue_token(keys, owner.id, 0)  # a clock may be five seconds off, so that it has those left
    url = serve(right_check=0.05).url
    with open_socket(url, "ws", short) as renewed, open_socket(url, "ws", short) as expired:
        renewed.hear()
        renewed.say(op="authenticate", token=issue_token(keys, owner.id, 600))
        renewed.hear()
        assert expired.rest()[1:] == (4401, "token_expired")
        renewed.say(op="ping")
        assert renewed.hear()["op"] == "pong"


def test_a_user_has_a_limit_of_streams(serve: Serve, token: str, run_id: str, engine: Engine, owner: User) -> None:
    served = serve(streams_per_user=2)
    with open_socket(served.url, "ws", token) as socket, served.client(token).open(run_id) as blocks:
        next(blocks)
        socket.hear()
        socket.say(op="subscribe", id="a", run=run_id)
        socket.hear_until(seq=1)
        socket.say(op="subscribe", id="b", run=run_id)
        assert socket.hear()["code"] == "too_many_streams"
        address = f"{served.url}/api/v1/runs/{run_id}/events"
        response = served.http.get(address, headers={"Authorization": f"Bearer {token}"})
        assert (response.status_code, response.json()["code"]) == (429, "too_many_streams")
        with open_socket(served.url, f"runs/{run_id}/ws", token) as third:
            assert third.rest()[1] == 4429


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
