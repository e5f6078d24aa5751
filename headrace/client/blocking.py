"""The client for ordinary programs: iterating over a run's events blocks until the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from types import TracebackType
from typing import Self

import httpx
from httpx_sse import SSEError, connect_sse
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from headrace.client import wire
from headrace.client.errors import Interrupted
from headrace.client.progress import Event, StreamProgress, Wanted
from headrace.client.wire import Transport

EVERYTHING = Wanted()


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
        quiet_for: float | None = None,
        until: float | None = None,
    ) -> Iterator[Event]:
        """The run's events behind the cursor, each once and in order, up to the final one.

        Raises `Silence` when nothing came for `quiet_for` seconds or when the monotonic clock passes `until`,
        `Refused` for a run that is not there, `Unreachable` when the server stays away.
        """
        progress = StreamProgress(cursor, wanted, patience=self._patience, quiet_for=quiet_for, until=until)
        connected: Callable[[str, StreamProgress, Wanted], Generator[Event, None, None]]
        connected = self._over_sse if transport == "sse" else self._over_websocket
        while not progress.ended:
            try:
                with closing(connected(run_id, progress, wanted)) as events:
                    for event in events:
                        if progress.take(event):
                            yield event
                        if progress.ended:
                            return
                        progress.check_time()
                return
            except Interrupted as interruption:
                time.sleep(progress.pause(interruption))

    def _over_sse(self, run_id: str, progress: StreamProgress, wanted: Wanted) -> Generator[Event, None, None]:
        headers = {"Authorization": f"Bearer {self._token}"} | wire.reconnect_headers(progress)
        timeout = httpx.Timeout(10.0, read=progress.wait)
        address = self._url + wire.events_path(run_id)
        try:
            with connect_sse(
                self._http, "GET", address, headers=headers, params=wanted.query(), timeout=timeout
            ) as source:
                response = source.response
                wire.check_answer(response, b"" if response.is_success else response.read())
                if response.status_code == 204:
                    return
                for message in source.iter_sse():
                    event = wire.event_of(message, progress)
                    if event is not None:
                        yield event
        except httpx.ReadTimeout:
            raise progress.silent() from None
        except (httpx.TransportError, SSEError) as error:
            raise Interrupted(error) from error
        raise Interrupted("the stream ended early")

    def _over_websocket(self, run_id: str, progress: StreamProgress, wanted: Wanted) -> Generator[Event, None, None]:
        address = wire.socket_address(self._url, run_id, progress, wanted)
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            with connect(address, additional_headers=headers, max_size=None, compression=None, proxy=None) as socket:
                while True:
                    event = wire.event_of_text(socket.recv(progress.wait), progress)
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
