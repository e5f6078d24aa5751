"""Server-Sent Events: a lean response that carries events past proxies and through a shutdown.

It is plain ASGI instead of sse-starlette, whose task group and timer per client were most of what a follower cost
(docs/adr: a lean response for streams).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

import orjson
from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stream_api.following.follower import LEFT, Ending, Follower
from stream_api.following.measures import Sent

RETRY_MILLISECONDS = 1000
"""How long an EventSource waits before it comes back."""

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
_PRELUDE = b"retry: %d\n\n" % RETRY_MILLISECONDS
_HEARTBEAT = b": heartbeat\n\n"

Opening = Callable[[ExitStack], Follower]
"""Makes the follower when the response begins, to be let go with the stack."""


class EventStream(Response):
    """The events of one follower. A comment goes out when the process pulses and there was nothing else to send."""

    media_type = "text/event-stream"

    def __init__(self, opening: Opening, sent: Sent, *, until: int | None = None) -> None:
        """It ends behind the seq `until`, if that comes before the final event."""
        self.status_code = 200
        self.background: BackgroundTask | None = None
        self.body = b""
        self.init_headers()
        self._opening = opening
        self._sent = sent
        self._until = until

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() as stack:
            follower = self._opening(stack)
            leaving = asyncio.create_task(_notice_leaving(receive, follower))
            try:
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                await _send(send, _PRELUDE)
                await self._send_events(send, follower)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            finally:
                leaving.cancel()

    async def _send_events(self, send: Send, follower: Follower) -> None:
        wanted, sent = follower.wanted, self._sent
        while True:
            if self._until is not None and follower.cursor >= self._until:
                await _send(send, b'event: caught_up\ndata: {"cursor":"%d"}\n\n' % follower.cursor)
                sent.ended("caught_up")
                return
            batch = await follower.next()
            if batch is not None:
                frames = batch.frames(wanted)
                await _send(send, frames)
                sent.add(len(batch.passing(wanted)), len(frames))
                if batch.is_final:
                    sent.ended("final")
                    return
            elif follower.ending is not None:
                await _send(send, _farewell(follower.ending, follower.cursor))
                sent.ended(follower.ending.reason)
                return
            else:
                await _send(send, _HEARTBEAT)


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _notice_leaving(receive: Receive, follower: Follower) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    follower.end(LEFT)


def _farewell(ending: Ending, cursor: int) -> bytes:
    """Says why the stream ends early. It has no id, so it is not an event of the run and moves no cursor."""
    if ending is LEFT:
        return b""
    data = orjson.dumps({"reason": ending.reason, "detail": ending.detail, "cursor": str(cursor)})
    return b"event: going_away\ndata: %b\n\n" % data
