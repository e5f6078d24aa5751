"""The network under our HTTP client: it connects only to addresses that are allowed, and never outlasts a deadline.

The address that is checked is the one that is connected to, so neither DNS rebinding nor a redirect gets around it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

import httpcore

from definitions.shared.public_addresses import is_public

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
Resolve = Callable[[str, int], list[str]]


class TargetRefused(Exception):
    """Every address of the host is one that requests may not go to."""


@dataclass(eq=False)
class Exchange:
    """One request with its redirects: when it must be over, and whether it was called off."""

    deadline: float
    canceled: bool = field(default=False)

    def left(self) -> float:
        """Seconds left. Raises `httpcore.ReadTimeout` when none are, `httpcore.ReadError` when called off."""
        if self.canceled:
            raise httpcore.ReadError("called off")
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time is over")
        return left


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as the system resolves them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedNetwork(httpcore.NetworkBackend):
    """Connects to public addresses only (to any, if private ones are allowed), within the thread's exchange."""

    def __init__(self, *, allow_private: bool, resolve: Resolve = resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._sockets = httpcore.SyncBackend()
        self._thread = threading.local()
        self._lock = threading.RLock()  # a signal handler may cancel while its thread holds it
        self._exchanges: set[Exchange] = set()
        self._streams: set[GuardedStream] = set()

    @contextlib.contextmanager
    def exchange(self, timeout: float) -> Iterator[Exchange]:
        """All traffic of this thread within the block belongs to one exchange of at most `timeout` seconds."""
        exchange = Exchange(time.monotonic() + timeout)
        self._thread.exchange = exchange
        with self._lock:
            self._exchanges.add(exchange)
        try:
            yield exchange
        finally:
            with self._lock:
                self._exchanges.discard(exchange)

    def cancel_all(self) -> None:
        """Call every exchange off, whatever it waits for on an open connection."""
        with self._lock:
            for exchange in list(self._exchanges):
                exchange.canceled = True
            streams = list(self._streams)
        for stream in streams:
            stream.interrupt()

    def current(self) -> Exchange:
        """The exchange of this thread."""
        exchange: Exchange = self._thread.exchange
        return exchange

    def forget(self, stream: GuardedStream) -> None:
        """Let go of a closed stream."""
        with self._lock:
            self._streams.discard(stream)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first allowed address that answers. Raises `TargetRefused` or an httpcore error."""
        addresses = self._addresses(host, port)
        allowed = [one for one in addresses if self._allow_private or is_public(one)]
        if not allowed:
            raise TargetRefused(host)
        failure: Exception = httpcore.ConnectError("no address")
        for address in allowed:
            try:
                stream = self._sockets.connect_tcp(address, port, self.current().left(), None, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return self.guard(stream)
        raise failure

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[SocketOption] | None = None
    ) -> httpcore.NetworkStream:
        """Never: requests go over TCP."""
        raise TargetRefused(path)

    def sleep(self, seconds: float) -> None:
        """Wait, as httpcore does between attempts to connect."""
        time.sleep(min(seconds, self.current().left()))

    def guard(self, stream: httpcore.NetworkStream) -> GuardedStream:
        """Bind an open connection to the exchanges of the threads that use it."""
        guarded = GuardedStream(stream, self)
        with self._lock:
            self._streams.add(guarded)
        return guarded

    def _addresses(self, host: str, port: int) -> list[str]:
        """Resolve in a thread of its own: the system's resolver knows no deadline."""
        outcome: list[list[str] | OSError] = []

        def work() -> None:
            try:
                outcome.append(self._resolve(host, port))
            except Exception as error:  # of a name that is none the resolver raises other things, too
                outcome.append(OSError(str(error)))

        thread = threading.Thread(target=work, name="headrace-resolve", daemon=True)
        thread.start()
        thread.join(self.current().left())
        if not outcome:
            raise httpcore.ConnectTimeout("its name is not resolved in time")
        if isinstance(outcome[0], OSError):
            raise httpcore.ConnectError(str(outcome[0]))
        return outcome[0]


class GuardedStream(httpcore.NetworkStream):
    """A connection whose every operation ends with the exchange of the thread that uses it."""

    def __init__(self, stream: httpcore.NetworkStream, network: GuardedNetwork) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read some bytes. Raises `httpcore.ReadTimeout` at the exchange's deadline."""
        return self._stream.read(max_bytes, self._network.current().left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all bytes, a portion at a time, so that a slow reader cannot hold us beyond the deadline."""
        for start in range(0, len(buffer), 65536):
            self._stream.write(buffer[start : start + 65536], self._network.current().left())

    def close(self) -> None:
        """Close the connection."""
        self._network.forget(self)
        self._stream.close()

    def interrupt(self) -> None:
        """End what another thread waits for on this connection."""
        sock = self._stream.get_extra_info("socket")
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not SSLSocket's, which is not safe from other threads

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Speak TLS from here on; the certificate is checked for the URL's host, not the address."""
        self._network.forget(self)
        stream = self._stream.start_tls(ssl_context, server_hostname, self._network.current().left())
        return self._network.guard(stream)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks about the connection."""
        return self._stream.get_extra_info(info)
