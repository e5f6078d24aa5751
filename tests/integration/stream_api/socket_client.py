"""A WebSocket client for tests: it shows every message as it came."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

PATIENCE = 20.0


@dataclass(frozen=True)
class Socket:
    """One connection."""

    connection: ClientConnection

    def say(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def hear(self) -> dict[str, Any]:
        """The next message."""
        message: dict[str, Any] = json.loads(self.connection.recv(PATIENCE))
        return message

    def hear_until(self, **wanted: Any) -> list[dict[str, Any]]:
        """Messages up to the first that has these values."""
        found = [self.hear()]
        while not wanted.items() <= found[-1].items():
            found.append(self.hear())
        return found

    def rest(self) -> tuple[list[dict[str, Any]], int | None, str]:
        """The messages that are left, and the code and reason of the server's close."""
        found: list[dict[str, Any]] = []
        try:
            while True:
                found.append(self.hear())
        except ConnectionClosed as closed:
            return found, *((None, "") if closed.rcvd is None else (closed.rcvd.code, closed.rcvd.reason))


@contextmanager
def open_page_socket(url: str, path: str, headers: Mapping[str, str]) -> Iterator[Socket]:
    """A socket with the headers that a browser sends for a page."""
    with _connected(f"ws{url.removeprefix('http')}/api/v1/{path}", headers) as socket:
        yield socket


@contextmanager
def open_socket(url: str, path: str, token: str | None = None, **query: str) -> Iterator[Socket]:
    """A socket of the application at `url`."""
    parameters = "&".join(f"{name}={value}" for name, value in query.items())
    address = f"ws{url.removeprefix('http')}/api/v1/{path}" + (f"?{parameters}" if parameters else "")
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with _connected(address, headers) as socket:
        yield socket


@contextmanager
def _connected(address: str, headers: Mapping[str, str]) -> Iterator[Socket]:
    with connect(
        address,
        additional_headers=headers,
        compression=None,
        proxy=None,
        max_size=None,
        # A full queue stops reading, and the server's answer to our close with it.
        max_queue=None,
    ) as connection:
        yield Socket(connection)
