"""Following a run against servers that break off; the transport is httpx's own stand-in for a network."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from headrace_cli.client.client import Client, Refused
from headrace_cli.client.connection import Server
from headrace_cli.client.follow import Silence, follow, stored

Answer = Callable[[httpx.Request], httpx.Response]


def event(seq: int, *, final: bool = False) -> dict[str, Any]:
    return {"id": str(seq), "seq": seq, "type": "log", **({"final": True, "count": seq} if final else {})}


def frames(*events: dict[str, Any]) -> bytes:
    lines = [f"id: {e['id']}\nevent: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events]
    return ("retry: 1000\n\n" + "".join(lines) + ": heartbeat\n\n").encode()


class Broken(httpx.SyncByteStream):
    """A body that breaks off with an error."""

    def __init__(self, content: bytes, error: Exception) -> None:
        self._content = content
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        raise self._error


def stream(body: bytes | Broken) -> httpx.Response:
    headers = {"Content-Type": "text/event-stream"}
    return httpx.Response(200, headers=headers, stream=body if isinstance(body, Broken) else httpx.ByteStream(body))


def client(*answers: httpx.Response) -> tuple[Client, list[str | None]]:
    """A client of a server that gives these answers in turn, and the cursors it was asked with."""
    cursors: list[str | None] = []
    remaining = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        cursors.append(request.headers.get("Last-Event-ID"))
        return next(remaining)

    return Client(Server("http://headrace.test", "token"), transport=httpx.MockTransport(answer)), cursors


def test_events_end_with_the_final_one() -> None:
    asked, cursors = client(stream(frames(event(1), event(2, final=True))))
    with asked:
        assert [e["seq"] for e in follow(asked, "r")] == [1, 2]
    assert cursors == [None]


def test_lost_connection_is_taken_up_behind_the_last_event() -> None:
    lost = Broken(frames(event(1), event(2)), httpx.ReadError("connection reset"))
    asked, cursors = client(stream(lost), stream(frames(event(3))), stream(frames(event(4, final=True))))
    with asked:
        assert [e["seq"] for e in follow(asked, "r")] == [1, 2, 3, 4]
    assert cursors == [None, "2", "3"]


def test_server_that_is_away_for_a_moment_is_asked_again() -> None:
    asked, _ = client(httpx.Response(503, json={"code": "unavailable"}), stream(frames(event(1, final=True))))
    with asked:
        assert [e["seq"] for e in follow(asked, "r")] == [1]


def test_unknown_run_is_an_error() -> None:
    asked, _ = client(httpx.Response(404, json={"code": "run_not_found", "detail": "There is no run r."}))
    with asked, pytest.raises(Refused, match=r"There is no run r\."):
        list(follow(asked, "r"))


def test_what_is_stored_ends_where_the_server_says_so() -> None:
    caught_up = b'event: caught_up\ndata: {"cursor": "2"}\n\n'
    lost = Broken(frames(event(1)), httpx.ReadError("connection reset"))
    asked, cursors = client(stream(lost), stream(frames(event(2)) + caught_up))
    with asked:
        assert [e["seq"] for e in stored(asked, "r")] == [1, 2]
    assert cursors == [None, "1"]


def test_heartbeats_do_not_hold_off_the_deadline() -> None:
    asked, _ = client(stream(b": heartbeat\n\n"))
    with asked, pytest.raises(Silence):
        list(follow(asked, "r", until=time.monotonic() - 1))


def test_deadline_ends_waiting_even_while_events_come() -> None:
    asked, _ = client(stream(frames(event(1), event(2))))
    with asked, pytest.raises(Silence):
        list(follow(asked, "r", until=time.monotonic() - 1))
