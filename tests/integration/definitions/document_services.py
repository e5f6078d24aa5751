"""The services that documents of tests/graphs talk to, on loopback: a web API, a mail server, a broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from tests.integration.nodes.brokers import free_port, program, serving

TOKEN = "t0k3n-of-the-mill"


class Api(BaseHTTPRequestHandler):
    """Two pages of people, a repository's owners, a form that takes reports; to those who know the token."""

    def do_GET(self) -> None:
        if self.path == "/people":
            link = f'<http://{self.headers["host"]}/people?page=2>; rel="next"'
            self._answer([{"name": "ann"}, {"name": "bob"}], {"link": link})
        else:
            self._answer([{"name": "cat"}])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/reports":
            assert b'name="title"\r\n\r\nReport\r\n' in body
            assert b'filename="report.txt"' in body
            self._answer({"taken": True})
        else:
            assert self.path == "/repos/octo/mill?page=1&tag=a&tag=b"
            assert json.loads(body) == {"repository": "octo/mill"}
            self._answer([{"name": "octo"}, {"name": "cat"}])

    def _answer(self, content: Any, headers: dict[str, str] | None = None) -> None:
        known = (f"Bearer {TOKEN}", TOKEN)
        body = json.dumps(content).encode()
        self.send_response_only(
            200 if known[0] == self.headers["authorization"] or known[1] == self.headers["x-key"] else 401
        )
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""


@contextmanager
def web_api() -> Iterator[str]:
    """Its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@contextmanager
def mail_server() -> Iterator[str]:
    """The address of a server that takes everything."""
    port = free_port()
    controller = Controller(Sink(), "127.0.0.1", port)
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{port}?tls=none"
    finally:
        controller.stop()


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """The address of a Redis; the test is skipped where there is none."""
    port = free_port()
    command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with serving(command, port, folder):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def services(names: list[str], folder: Path) -> Iterator[dict[str, str]]:
    """The addresses of the named services (api, mail, broker), by name."""
    known: dict[str, Callable[[], AbstractContextManager[str]]] = {
        "api": web_api,
        "mail": mail_server,
        "broker": lambda: broker(folder),
    }
    with ExitStack() as stack:
        yield {name: stack.enter_context(known[name]()) for name in names}
