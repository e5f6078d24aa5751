"""Messages to a socket that are refused, and which of them close it."""

from __future__ import annotations

from urllib.parse import urlencode

import psycopg
import pytest
from sqlalchemy.engine import Engine

from platform_core.identity.keys import KeyRing
from platform_core.web.server import LARGEST_MESSAGE
from tests.integration.stream_api.conftest import Serve
from tests.integration.stream_api.runs import append, create_owner
from tests.integration.stream_api.socket_client import open_socket
from tests.tokens import bearer_token


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("nonsense", "Invalid JSON"),
        ('{"op": "ping"', "Invalid JSON"),
        ("[]", "object"),
        ("1", "object"),
        ("[" * 10_000, "Invalid JSON"),
        (b"{}", "text"),
    ],
)
def test_a_text_that_is_no_message_closes_the_socket_and_says_why(
    serve: Serve, token: str, text: str | bytes, detail: str
) -> None:
    with open_socket(serve().url, "ws", token) as socket:
        socket.hear()
        socket.connection.send(text)
        (error,), code, reason = socket.rest()
    assert (error["op"], error["code"], code, reason) == ("error", "bad_message", 4400, "bad_message")
    assert detail in error["detail"]


@pytest.mark.parametrize(
    ("message", "code", "detail"),
    [
        ({}, "bad_message", "op"),
        ({"op": "shout"}, "bad_message", "op"),
        ({"op": "ping", "extra": 1}, "bad_message", "extra"),
        ({"op": "ack", "count": 0}, "bad_message", "count"),
        ({"op": "ack", "count": 1}, "subscription_not_found", "without an id"),
        ({"op": "ack", "count": 1, "id": "nobody"}, "subscription_not_found", "'nobody'"),
        ({"op": "ack", "count": 1, "id": "x" * 65}, "bad_message", "id"),
        ({"op": "unsubscribe", "id": "nobody"}, "subscription_not_found", "'nobody'"),
        ({"op": "subscribe", "id": "b"}, "bad_message", "name one of"),
        ({"op": "subscribe", "id": "b", "run": "x", "mine": True}, "bad_message", "name one of"),
        ({"op": "subscribe", "id": "b", "mine": True, "window": 0}, "bad_message", "window"),
        ({"op": "subscribe", "id": "b", "mine": True, "windows": 1}, "bad_message", "windows"),
        ({"op": "subscribe", "id": "b", "mine": True, "filters": {"type": ["log"]}}, "bad_message", "filters.type"),
        ({"op": "subscribe", "id": "b", "mine": True, "filters": {"types": "log"}}, "bad_message", "filters.types"),
        ({"op": "subscribe", "id": "a", "mine": True}, "subscription_exists", "'a'"),
        ({"op": "cancel", "run": None}, "bad_message", "run"),
        ({"op": "authenticate", "token": "nonsense"}, "unauthorized", ""),
        ({"op": "authenticate", "token": "EVE"}, "bad_message", "one user"),
    ],
)
def test_a_message_that_is_refused_is_answered_and_the_other_subscriptions_go_on(
    serve: Serve,
    token: str,
    run_id: str,
    engine: Engine,
    keys: KeyRing,
    connection: psycopg.Connection,
    message: dict[str, object],
    code: str,
    detail: str,
) -> None:
    if message.get("token") == "EVE":
        message = {**message, "token": bearer_token(engine, keys, create_owner(engine, "eve").id, 600)}
    with open_socket(serve().url, "ws", token) as socket:
        socket.hear()
        socket.say(op="subscribe", id="a", run=run_id)
        socket.hear_until(seq=1)
        socket.say(**message)
        error = socket.hear()
        label = str(message["id"])[:64] if "id" in message else None
        assert (error["op"], error["id"], error["code"]) == ("error", label, code)
        assert detail in error["detail"]
        append(connection, run_id)
        assert socket.hear()["seq"] == 2


def test_what_a_socket_of_one_run_does_not_take_is_answered(serve: Serve, token: str, run_id: str) -> None:
    with open_socket(serve().url, f"runs/{run_id}/ws", token, window="1") as socket:
        socket.hear_until(seq=1)
        socket.say(op="subscribe", id="a", mine=True)
        assert socket.hear()["code"] == "bad_message"
        socket.say(op="ack", id="a", count=1)
        assert socket.hear()["code"] == "subscription_not_found"
        socket.say(op="ping")
        assert socket.hear()["op"] == "pong"


def test_a_message_that_is_too_large_closes_the_socket(serve: Serve, token: str) -> None:
    with open_socket(serve().url, "ws", token) as socket:
        socket.hear()
        socket.say(op="ping", data="x" * LARGEST_MESSAGE)
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
        ("runs/RUN/ws", {"types": ""}, 4400),
        ("runs/RUN/ws", {"level": "loud"}, 4400),
    ],
)
def test_a_socket_of_one_run_is_closed_with_the_code_of_its_error(
    serve: Serve, token: str, run_id: str, path: str, query: dict[str, str], code: int
) -> None:
    bearer = None if "ticket" in query else token
    with open_socket(serve().url, path.replace("RUN", run_id), bearer, **query) as socket:
        assert socket.rest()[1] == code


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("runs/RUN/ws", "window=abc", "`window`: Input should be a valid integer"),
        ("runs/RUN/ws", "window=0", "`window`: Input should be greater than or equal to 1"),
        ("runs/RUN/ws", "window=", "`window`"),
        ("runs/RUN/ws", "window=1000000", "`window`"),
        ("runs/RUN/ws", "cursor=1&cursor=2", "`cursor`: it is given 2 times"),
        ("runs/RUN/ws", "types=log&types=stdout", "`types`: it is given 2 times"),
        ("runs/RUN/ws", "type=log", "`type`: there is no such query parameter (did you mean `types`?)"),
        ("runs/RUN/ws", "follow=false", "`follow`: there is no such query parameter"),
        ("runs/RUN/ws", "windw=0&level=" + "x" * 21, "did you mean `window`?); `level`: String should have at most"),
        ("ws", "cursor=1", "`cursor`: there is no such query parameter (known: ticket)"),
        ("ws", "tiket=x", "`tiket`: there is no such query parameter (did you mean `ticket`?)"),
    ],
)
def test_a_query_that_is_malformed_or_unknown_closes_the_socket_and_says_why(
    serve: Serve, token: str, run_id: str, path: str, query: str, said: str
) -> None:
    given = [(name, value) for name, value in (part.split("=") for part in query.split("&"))]
    address = f"{path.replace('RUN', run_id)}?{urlencode(given)}"
    with open_socket(serve().url, address, token) as socket:
        (error,), code, reason = socket.rest()
    assert (error["op"], error["id"], error["code"]) == ("error", None, "invalid_request")
    assert said in error["detail"]
    assert (code, reason) == (4400, "invalid_request")
