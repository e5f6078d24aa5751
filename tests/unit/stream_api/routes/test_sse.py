"""The response that carries Server-Sent Events, driven as a server drives it."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from platform_core.operation.metrics import Metrics
from stream_api.following.filters import OPEN, EventFilter, parse_filter
from stream_api.following.follower import Ending, Follower
from stream_api.following.hub import Hub
from stream_api.following.measures import Measures
from stream_api.routes.sse import EventStream
from tests.unit.stream_api.memory_log import RUN, MemoryLog, event, settle


class Connection:
    """The server's side of one response."""

    def __init__(self, hub: Hub, wanted: EventFilter = OPEN, after: int = 0) -> None:
        self.metrics = Metrics()
        self.follower: Follower | None = None
        self.body: list[bytes] = []
        self.ended = False
        self._leave = asyncio.Event()

        def opening(stack: ExitStack) -> Follower:
            self.follower = stack.enter_context(hub.follow(RUN, after, wanted))
            return self.follower

        self._response = EventStream(opening, Measures(self.metrics).sse)
        self.task = asyncio.create_task(self._response({"type": "http"}, self._receive, self._send))

    def leave(self) -> None:
        self._leave.set()

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"headrace_stream_{name}", {"transport": "sse", **labels})

    async def _receive(self) -> dict[str, Any]:
        await self._leave.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            self.body.append(message["body"])
            self.ended = not message["more_body"]


def frames(*seqs: int, change: Callable[[int], bytes] = lambda seq: event(seq).frame) -> bytes:
    return b"".join(map(change, seqs))


async def test_events_follow_the_time_to_come_back_and_end_with_the_final_one() -> None:
    log = MemoryLog(2)
    log.append("run.succeeded")
    connection = Connection(Hub(log))
    await connection.task
    final = event(3, "run.succeeded").frame
    assert connection.body == [b"retry: 1000\n\n", frames(1, 2) + final, b""]
    assert connection.ended
    assert connection.count("events_total") == 3
    assert connection.count("bytes_total") == len(frames(1, 2) + final)
    assert connection.count("endings_total", reason="final") == 1


async def test_a_filter_leaves_the_ids_so_that_nothing_is_read_again() -> None:
    log = MemoryLog(2)
    hub = Hub(log)
    connection = Connection(hub, parse_filter(["stdout"]))
    await settle()
    hub.notify(f"{RUN}:{log.append('stdout')}")
    await settle()
    assert connection.body[1:] == [b"id: 2\n\n", event(3, "stdout").frame]
    connection.leave()
    await connection.task


async def test_a_pulse_makes_an_idle_stream_say_that_it_lives() -> None:
    hub = Hub(MemoryLog(1))
    connection = Connection(hub)
    await settle()
    hub.pulse()
    await settle()
    assert connection.body[-1] == b": heartbeat\n\n"
    connection.leave()
    await connection.task


async def test_a_client_that_leaves_frees_its_follower_and_is_sent_nothing() -> None:
    hub = Hub(MemoryLog(1))
    connection = Connection(hub)
    await settle()
    assert hub.followers == 1
    connection.leave()
    await connection.task
    assert hub.followers == 0
    assert connection.body[2:] == [b"", b""]
    assert connection.count("endings_total", reason="left") == 1


async def test_a_stream_that_ends_early_says_why_and_where_it_stands() -> None:
    hub = Hub(MemoryLog(2))
    connection = Connection(hub)
    await settle()
    assert connection.follower is not None
    connection.follower.end(Ending("token_expired", "Get a new one."))
    await connection.task
    assert connection.body[2:] == [
        b'event: going_away\ndata: {"reason":"token_expired","detail":"Get a new one.","cursor":"2"}\n\n',
        b"",
    ]
