"""How the supervisor sees from outside that a process works: by what it answers or has reported.

By the standard library alone, since the supervisor is to stay small.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from definitions.shared import readiness

_TIMEOUT = 5.0


def all_answer(*urls: str) -> Callable[[float], bool]:
    """A probe: GET gives a 200 for each of the urls."""
    return lambda _: all(_answers(_connection(url), urlsplit(url).path) for url in urls)


def answers_locally(path: str, target: str) -> Callable[[float], bool]:
    """A probe: GET of the target gives a 200 at the unix socket of this path."""
    return lambda _: _answers(_LocalConnection(path), target)


def has_reported(home: Path, service: str) -> Callable[[float], bool]:
    """A probe of a service that serves nothing: it has reported since its start that it works."""
    return lambda started_at: readiness.reported_at(home, service) >= started_at


class _LocalConnection(http.client.HTTPConnection):
    """To a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(url: str) -> http.client.HTTPConnection:
    address = urlsplit(url)
    host, port = address.hostname or "", address.port
    if address.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    import ssl

    # Whatever its certificate says, it is our own process, and learns nothing.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)


def _answers(connection: http.client.HTTPConnection, target: str) -> bool:
    try:
        connection.request("GET", target)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
