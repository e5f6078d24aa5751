"""The client for ordinary programs: iterating over a run's events blocks until the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from types import TracebackType
from typing import Self

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from headrace.client import wire
from headrace.client.errors import Interrupted
from headrace.client.progress import Event, StreamProgress, Wanted
from headrace.client.wire import Transport

EVERYTHING = Wanted()

Events = Generator[Event, None, None]

Connected = Callable[[str, StreamProgress, Wanted], Events]
"""Events of one connection. Raises `Interrupted` when it ends early."""


class Client:
    """Follows runs of one server. Use it as a context manager."""

    def __init__(self, url: str, token: str, *, patience: float = 60.0, http: httpx.Client | None = None) -> None:
        """`token` is a bearer token or API key; `patience` is how many seconds the server may be away."""
        self._url = url.rstrip("/")
        self._token = token
        self._patience = patience
        self._http = http or httpx.Client()
        self._owns_http = http is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that this client made."""
        if self._owns_http:
            self._http.close()

    def follow(
        self,
        run_id: str,
        *,
        cursor: str | None = None,
        wanted: Wanted = EVERYTHING,
        transport: Transport = "sse",
        until: float | None = None,
    ) -> Events:
        """The run's events after the cursor, each once and in order, up to the final one.

        Raises `Silence` when the monotonic clock passes `until`, `Refused` for a run that is not there, and
        `Unreachable` when the server stays away.
        """
        progress = StreamProgress(cursor, wanted, patience=self._patience, until=until)
        connected = self._over_sse if transport == "sse" else self._over_websocket
        return self._read(connected, run_id, progress, wanted)

    def stored(self, run_id: str, *, cursor: str | None = None, wanted: Wanted = EVERYTHING) -> Events:
        """The events after the cursor that there are now; it waits for no others. Raises as `follow`."""
        progress = StreamProgress(cursor, wanted, patience=self._patience, only_stored=True)
        return self._read(self._over_sse, run_id, progress, wanted)

    def _read(self, connected: Connected, run_id: str, progress: StreamProgress, wanted: Wanted) -> Events:
        while not progress.ended:
            try:
                with closing(connected(run_id, progress, wanted)) as events:
                    for event in events:
                        if progress.take(event):
                            yield event
                        if progress.ended:
                            return
                return
            except Interrupted as interruption:
                time.sleep(progress.pause(interruption))

    def _over_sse(self, run_id: str, progress: StreamProgress, wanted: Wanted) -> Events:
        request = wire.stream_request(self._url, run_id, self._token, progress, wanted)
        try:
            with self._http.stream("GET", **request) as response:
                wire.check_answer(response, b"" if response.is_success else response.read())
                if response.status_code == 204:
                    return
                block = wire.Block()
                for line in response.iter_lines():
                    progress.heard()
                    complete = block.feed(line)
                    event = None if complete is None else wire.event_of(complete, progress)
                    if event is not None:
                        yield event
                    if progress.ended:
                        return
        except httpx.ReadTimeout:
            raise progress.silent() from None
        except httpx.TransportError as error:
            raise Interrupted(error) from error
        raise Interrupted("the stream ended early")

    def _over_websocket(self, run_id: str, progress: StreamProgress, wanted: Wanted) -> Events:
        address = wire.socket_address(self._url, run_id, progress, wanted)
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            with connect(address, additional_headers=headers, **wire.SOCKET_OPTIONS) as socket:
                while True:
                    # A dead connection is distinguished from a quiet one by the library's own pings.
                    event = wire.event_of_text(socket.recv(progress.left), progress)
                    if event is not None:
                        yield event
        except TimeoutError:
            raise progress.silent() from None
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code == 1000:
                return
            code = None if closed.rcvd is None else closed.rcvd.code
            raise wire.interruption(code, "" if closed.rcvd is None else closed.rcvd.reason) from closed
        except (OSError, InvalidHandshake) as error:
            raise Interrupted(error) from error
