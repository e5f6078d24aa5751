"""The client for asyncio: as the blocking one, and all runs of a graph or of the user over one socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import httpx
from httpx_sse import SSEError, aconnect_sse
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from headrace.client import wire
from headrace.client.errors import Interrupted, Refused
from headrace.client.progress import Event, StreamProgress, Wanted
from headrace.client.wire import Transport

EVERYTHING = Wanted()
_LABEL = "all"


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

    async def follow(
        self,
        run_id: str,
        *,
        cursor: str | None = None,
        wanted: Wanted = EVERYTHING,
        transport: Transport = "sse",
    ) -> AsyncIterator[Event]:
        """The run's events behind the cursor, each once and in order, up to the final one.

        Raises `Refused` for a run that is not there, `Unreachable` when the server stays away.
        """
        progress = StreamProgress(cursor, wanted, patience=self._patience)
        connected: Callable[[str, StreamProgress, Wanted], AsyncGenerator[Event, None]]
        connected = self._over_sse if transport == "sse" else self._over_websocket
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
    ) -> AsyncIterator[Event]:
        """The events of all runs of the graph, or of the user's own, each run's in order and once.

        It does not end. Without a cursor it begins with the runs that have not ended. Raises as `follow`.
        """
        place = StreamProgress(cursor, wanted, patience=self._patience)
        seen: dict[str, int] = {}
        while True:
            try:
                async for event in self._over_many(graph, place, wanted):
                    # Behind the last position the server repeats: only what is newer than the run's last is news.
                    if event["seq"] > seen.get(event["run_id"], 0):
                        seen[event["run_id"]] = event["seq"]
                        yield event
            except Interrupted as interruption:
                await asyncio.sleep(place.pause(interruption))

    async def _over_sse(self, run_id: str, progress: StreamProgress, wanted: Wanted) -> AsyncGenerator[Event, None]:
        headers = {"Authorization": f"Bearer {self._token}"} | wire.reconnect_headers(progress)
        timeout = httpx.Timeout(10.0, read=progress.wait)
        address = self._url + wire.events_path(run_id)
        try:
            async with aconnect_sse(
                self._http, "GET", address, headers=headers, params=wanted.query(), timeout=timeout
            ) as source:
                response = source.response
                wire.check_answer(response, b"" if response.is_success else await response.aread())
                if response.status_code == 204:
                    return
                async for message in source.aiter_sse():
                    event = wire.event_of(message, progress)
                    if event is not None:
                        yield event
        except (httpx.TransportError, SSEError) as error:
            raise Interrupted(error) from error
        raise Interrupted("the stream ended early")

    async def _over_websocket(
        self, run_id: str, progress: StreamProgress, wanted: Wanted
    ) -> AsyncGenerator[Event, None]:
        address = wire.socket_address(self._url, run_id, progress, wanted)
        async with aclosing(self._messages(address, progress)) as found:
            async for message in found:
                if "op" not in message:
                    yield message

    async def _over_many(self, graph: str | None, place: StreamProgress, wanted: Wanted) -> AsyncGenerator[Event, None]:
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
                elif message["op"] == "going_away":
                    place.cursor = message["cursors"].get(_LABEL) or place.cursor
                elif message["op"] in {"error", "unsubscribed"}:
                    reason = message.get("code") or message.get("reason")
                    raise Refused(0, {"code": reason, "detail": message["detail"]})

    async def _messages(
        self, address: str, progress: StreamProgress, first: str | None = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Every message of one connection. Raises `Interrupted`, `Refused`."""
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with connect(
                address, additional_headers=headers, max_size=None, compression=None, proxy=None
            ) as socket:
                if first is not None:
                    await socket.send(first)
                async for text in _texts(socket):
                    progress.heard()
                    yield json.loads(text)
        except ConnectionClosed as closed:
            code = None if closed.rcvd is None else closed.rcvd.code
            raise wire.interruption(code, "" if closed.rcvd is None else closed.rcvd.reason) from closed
        except (OSError, InvalidHandshake) as error:
            raise Interrupted(error) from error


async def _texts(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    """Texts until the server closes with 1000; its pings tell a dead connection from a quiet one."""
    while True:
        try:
            yield await socket.recv()
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code == 1000:
                return
            raise
