"""The client for asyncio: as the blocking one, and all runs of a graph or of the user over one socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from headrace.client import wire
from headrace.client.errors import Interrupted, Refused
from headrace.client.progress import Event, SeenRuns, StreamProgress, Wanted
from headrace.client.wire import Transport

EVERYTHING = Wanted()
_LABEL = "all"

Events = AsyncGenerator[Event, None]

Connected = Callable[[str, StreamProgress, Wanted], Events]
"""Events of one connection. Raises `Interrupted` when it ends early."""


class AsyncClient:
    """Follows runs of one server. Use it as a context manager."""

    def __init__(self, url: str, token: str, *, patience: float = 60.0, http: httpx.AsyncClient | None = None) -> None:
        """`token` is a bearer token or API key; `patience` is how many seconds the server may be away."""
        self._url = url.rstrip("/")
        self._token = token
        self._patience = patience
        self._http = http or httpx.AsyncClient()
        self._owns_http = http is None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owns_http:
            await self._http.aclose()

    def follow(
        self,
        run_id: str,
        *,
        cursor: str | None = None,
        wanted: Wanted = EVERYTHING,
        transport: Transport = "sse",
    ) -> Events:
        """The run's events after the cursor, each once and in order, up to the final one.

        Raises `Refused` for a run that is not there, `Unreachable` when the server stays away.
        """
        progress = StreamProgress(cursor, wanted, patience=self._patience)
        connected = self._over_sse if transport == "sse" else self._over_websocket
        return self._read(connected, run_id, progress, wanted)

    def stored(self, run_id: str, *, cursor: str | None = None, wanted: Wanted = EVERYTHING) -> Events:
        """The events after the cursor that there are now; it waits for no others. Raises as `follow`."""
        progress = StreamProgress(cursor, wanted, patience=self._patience, only_stored=True)
        return self._read(self._over_sse, run_id, progress, wanted)

    async def _read(self, connected: Connected, run_id: str, progress: StreamProgress, wanted: Wanted) -> Events:
        while not progress.ended:
            try:
                async with aclosing(connected(run_id, progress, wanted)) as events:
                    async for event in events:
                        if progress.take(event):
                            yield event
                        if progress.ended:
                            return
                return
            except Interrupted as interruption:
                await asyncio.sleep(progress.pause(interruption))

    async def follow_all(
        self, *, graph: str | None = None, cursor: str | None = None, wanted: Wanted = EVERYTHING
    ) -> Events:
        """The events of all runs of the graph, or of the user's own, each run's in order and once.

        It does not end. Without a cursor it begins with the runs that have not ended. Raises as `follow`.
        """
        place = StreamProgress(cursor, wanted, patience=self._patience)
        seen = SeenRuns()
        while True:
            try:
                async with aclosing(self._over_many(graph, place, wanted, seen)) as events:
                    async for event in events:
                        if seen.take(event):
                            yield event
            except Interrupted as interruption:
                await asyncio.sleep(place.pause(interruption))

    async def _over_sse(self, run_id: str, progress: StreamProgress, wanted: Wanted) -> Events:
        request = wire.stream_request(self._url, run_id, self._token, progress, wanted)
        try:
            async with self._http.stream("GET", **request) as response:
                wire.check_answer(response, b"" if response.is_success else await response.aread())
                if response.status_code == 204:
                    return
                block = wire.Block()
                async for line in response.aiter_lines():
                    progress.heard()
                    complete = block.feed(line)
                    event = None if complete is None else wire.event_of(complete, progress)
                    if event is not None:
                        yield event
                    if progress.ended:
                        return
        except httpx.TransportError as error:
            raise Interrupted(error) from error
        raise Interrupted("the stream ended early")

    async def _over_websocket(self, run_id: str, progress: StreamProgress, wanted: Wanted) -> Events:
        address = wire.socket_address(self._url, run_id, progress, wanted)
        async with aclosing(self._messages(address, progress)) as found:
            async for message in found:
                if "op" not in message:
                    yield message

    async def _over_many(self, graph: str | None, place: StreamProgress, wanted: Wanted, seen: SeenRuns) -> Events:
        target: dict[str, Any] = {"mine": True} if graph is None else {"graph": graph}
        subscribe = {"op": "subscribe", "id": _LABEL, "cursor": place.cursor, "filters": wanted.filters(), **target}
        address = f"ws{self._url.removeprefix('http')}/api/v1/ws"
        async with aclosing(self._messages(address, place, json.dumps(subscribe))) as found:
            async for message in found:
                if "op" not in message:
                    del message["subscription"]
                    yield message
                elif message["op"] == "position":
                    place.cursor = message["cursor"]
                    seen.forget_ended()
                elif message["op"] == "going_away":
                    place.cursor = message["cursors"].get(_LABEL) or place.cursor
                elif message.get("reason") == "internal_error":
                    place.cursor = message["cursor"] or place.cursor
                    raise Interrupted(message["detail"])
                elif message["op"] in {"error", "unsubscribed"}:
                    reason = message.get("code") or message.get("reason")
                    raise Refused(0, {"code": reason, "detail": message["detail"]})

    async def _messages(
        self, address: str, progress: StreamProgress, first: str | None = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Every message of one connection. Raises `Interrupted`, `Refused`."""
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with connect(address, additional_headers=headers, **wire.SOCKET_OPTIONS) as socket:
                if first is not None:
                    await socket.send(first)
                while True:
                    # A dead connection is distinguished from a quiet one by the library's own pings.
                    text = await socket.recv()
                    progress.heard()
                    yield json.loads(text)
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code == 1000:
                return
            code = None if closed.rcvd is None else closed.rcvd.code
            raise wire.interruption(code, "" if closed.rcvd is None else closed.rcvd.reason) from closed
        except (OSError, InvalidHandshake) as error:
            raise Interrupted(error) from error
