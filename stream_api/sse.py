"""Server-Sent Events: frames of events, and the response that carries them past proxies and through a shutdown."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent

from stream_api.wire import WireEvent

RETRY_MILLISECONDS = 1000
"""How long an EventSource waits before it comes back."""

SHUTDOWN_GRACE = 2.0
"""Seconds a stream may take to end by itself once the server stops; less than the server itself allows."""


def response(
    batches: AsyncGenerator[Sequence[WireEvent], None], *, heartbeat: float, stopping: anyio.Event
) -> EventSourceResponse:
    """Stream the batches; a comment every `heartbeat` seconds; `stopping` is set when the server stops.

    The library sets `Cache-Control: no-store` and `X-Accel-Buffering: no` and never compresses.
    """
    return EventSourceResponse(
        _frames(batches),
        ping=heartbeat,
        ping_message_factory=_heartbeat,
        shutdown_event=stopping,
        shutdown_grace_period=SHUTDOWN_GRACE,
    )


def frame(event: WireEvent) -> bytes:
    """One event: `id` is the cursor, `event` the type, `data` the JSON text."""
    return ServerSentEvent(event.text, id=event.cursor, event=event.type).encode()


async def _frames(batches: AsyncGenerator[Sequence[WireEvent], None]) -> AsyncIterator[bytes]:
    async with aclosing(batches):
        yield ServerSentEvent(retry=RETRY_MILLISECONDS).encode()
        async for events in batches:
            yield b"".join(map(frame, events))


def _heartbeat() -> ServerSentEvent:
    return ServerSentEvent(comment="heartbeat")
