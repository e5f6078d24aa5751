"""The only way out of a call with `network: public`: an HTTP proxy that connects to public addresses alone.

The call's network namespace has a loopback and nothing else; what listens there is this process's, which is outside.
The address that is checked is the one that is connected to. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from typing import NoReturn
from urllib.parse import urlsplit

from definitions.sandbox import process, system_calls
from definitions.shared.public_addresses import is_public

ADDRESS = ("127.0.0.1", 3128)
"""Where it listens, in the call's namespace."""
MOST = 64
"""Connections at once; more wait."""
_MAX_HEAD = 64 * 1024
_HEAD_SECONDS, _CONNECT_SECONDS = 30.0, 15.0
_MAX_MEMORY = 256 * 1024 * 1024
_PORTION = 64 * 1024


class Refused(Exception):
    """The request goes nowhere; `status` is the line of the answer."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


def run(outlet: socket.socket, user: int | None) -> NoReturn:
    """Serve what listens on the socket that comes by `outlet`, as `user`, until the parent ends it."""
    try:
        process.close_all_but({0, 1, 2, outlet.fileno()})
        if user is not None:
            process.become_user(user)
        process.renounce_privileges()
        process.die_with_parent(signal.SIGKILL)
        system_calls.refuse(unix_sockets=True)
        resource.setrlimit(resource.RLIMIT_DATA, (_MAX_MEMORY, _MAX_MEMORY))
        _, descriptors, _, _ = socket.recv_fds(outlet, 1, 1)
        outlet.close()
        if descriptors:
            serve(socket.socket(fileno=descriptors[0]))
    except BaseException:
        os._exit(1)
    os._exit(0)


def serve(listener: socket.socket, is_allowed: Callable[[str], bool] = is_public) -> NoReturn:
    """Serve connections for ever, each in a thread; they go to addresses that are allowed."""
    places = threading.BoundedSemaphore(MOST)

    def answer(client: socket.socket) -> None:
        with places, client, contextlib.suppress(OSError):
            _answer(client, is_allowed)

    while True:
        client, _ = listener.accept()
        with places:  # one is free
            threading.Thread(target=answer, args=(client,), daemon=True).start()


def _answer(client: socket.socket, is_allowed: Callable[[str], bool]) -> None:
    client.settimeout(_HEAD_SECONDS)
    try:
        head, rest = _read_head(client)
        host, port, sent = _target(head)
        server = _connect(host, port, is_allowed)
    except Refused as refusal:
        body = f"{refusal}\n".encode()
        head = f"HTTP/1.1 {refusal.status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n".encode()
        client.sendall(head + b"Connection: close\r\n\r\n" + body)
        return
    client.settimeout(None)
    with server:
        if sent:
            server.sendall(sent + rest)
        else:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            server.sendall(rest)
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    head = b""
    while b"\r\n\r\n" not in head:
        portion = client.recv(_PORTION)
        head += portion
        if not portion or len(head) > _MAX_HEAD:
            raise Refused("400 Bad Request", "This is no request to a proxy.")
    head, _, rest = head.partition(b"\r\n\r\n")
    return head, rest


def _target(head: bytes) -> tuple[str, int, bytes]:
    """Host, port, and the request as the server is to get it: nothing of a CONNECT."""
    first, *fields = head.decode("latin-1").split("\r\n")
    try:
        method, target, version = first.split(" ")
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        host, port = url.hostname, url.port
    except ValueError:
        raise Refused("400 Bad Request", "This is no request to a proxy.") from None
    if not host or (method == "CONNECT") == bool(url.scheme) or url.scheme not in ("", "http"):
        raise Refused("400 Bad Request", "A proxy takes CONNECT, or a request for an http:// address.")
    if method == "CONNECT":
        return host, port or 443, b""
    own = ("connection:", "keep-alive:", "proxy-")
    kept = [field for field in fields if not field.lower().startswith(own)]
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [f"{method} {path} {version}", *kept, "Connection: close"]
    return host, port or 80, "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def _connect(host: str, port: int, is_allowed: Callable[[str], bool]) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused("502 Bad Gateway", f"{host} has no address.") from None
    allowed = [one for one in found if is_allowed(str(one[4][0]))]
    if not allowed:
        raise Refused("403 Forbidden", f"{host} is not of the public internet, and the node's network is `public`.")
    for family, kind, protocol, _, address in allowed:
        server = socket.socket(family, kind, protocol)
        server.settimeout(_CONNECT_SECONDS)
        with contextlib.suppress(OSError):
            server.connect(address)
            server.settimeout(None)
            return server
        server.close()
    raise Refused("502 Bad Gateway", f"{host} cannot be reached.")


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until either side has ended, and tell the other."""
    with contextlib.suppress(OSError):
        while portion := source.recv(_PORTION):
            sink.sendall(portion)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
