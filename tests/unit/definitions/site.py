"""A web site on loopback with a page for each thing a server may do to a client."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, dict[str, str], bytes]


class Page(BaseHTTPRequestHandler):
    """Answers by path; `/echo` tells what was asked."""

    protocol_version = "HTTP/1.1"
    server: Site

    def do(self) -> None:
        size = int(self.headers.get("content-length", "0"))
        self.sent = self.rfile.read(size)
        self.server.seen.append(self.path)
        address = urlsplit(self.path)
        self.query = parse_qsl(address.query, keep_blank_values=True)
        self.more: list[tuple[str, str]] = []
        status, headers, body = getattr(self, f"page_{address.path.strip('/')}")()
        self.send_response(status)
        for name, value in [*self.more, *{"content-length": str(len(body)), **headers}.items()]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do

    def page_echo(self) -> Answer:
        told = {
            "method": self.command,
            "query": self.query,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.sent.decode(),
        }
        return 200, {"content-type": "application/problem+json; charset=utf-8"}, json.dumps(told).encode()

    def page_text(self) -> Answer:
        return 404, {"content-type": "text/plain; charset=latin-1", "x-a": "1"}, "grün".encode("latin-1")

    def page_bogus(self) -> Answer:
        return 200, {"content-type": "text/plain; charset=bogus"}, "grün".encode("latin-1")

    def page_lying(self) -> Answer:
        return 200, {"content-type": 'text/plain; charset="utf-8"'}, "grün".encode("latin-1")

    def page_latin(self) -> Answer:
        return 200, {"content-type": "text/csv"}, "grün".encode("latin-1")

    def page_marked(self) -> Answer:
        return 200, {"content-type": "text/csv"}, "grün".encode("utf-16")

    def page_twice(self) -> Answer:
        for name, value in [
            ("x-tag", "a"),
            ("x-tag", "b"),
            ("set-cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
        ]:
            self.more.append((name, value))
        return 200, {"set-cookie": "b=2"}, b""

    def page_big(self) -> Answer:
        return 200, {}, b"x" * 3000

    def page_bomb(self) -> Answer:
        return 200, {"content-encoding": "gzip"}, gzip.compress(b"\0" * 50_000_000)

    def page_packed(self) -> Answer:
        body = gzip.compress(b'{"a":') + gzip.compress(b"[1]}")
        return 200, {"content-encoding": "gzip", "content-type": "application/json"}, body

    def page_torn(self) -> Answer:
        return 200, {"content-encoding": "gzip"}, gzip.compress(b"x" * 1000)[:-4]

    def page_brotli(self) -> Answer:
        return 200, {"content-encoding": "br"}, b"?"

    def page_nan(self) -> Answer:
        return 200, {"content-type": "application/json"}, b"[NaN]"

    def page_empty(self) -> Answer:
        return 200, {"content-type": "application/json"}, b""

    def page_cookie(self) -> Answer:
        return 200, {"set-cookie": "a=1; Path=/"}, b""

    def page_go(self) -> Answer:
        return 302, {"location": self.query[0][1]}, b""

    def page_round(self) -> Answer:
        return 302, {"location": "/round"}, b""

    def page_slow(self) -> Answer:
        self.send_response(200)
        self.send_header("content-length", "1000")
        self.end_headers()
        while not self.server.over.wait(0.1):
            self.wfile.write(b".")
        return 200, {}, b""

    def page_rubbish(self) -> Answer:
        self.wfile.write(b"SSH-2.0-server\r\n")
        self.close_connection = True
        return 200, {}, b""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""


class Site(ThreadingHTTPServer):
    """A server on loopback that remembers the paths it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.seen: list[str] = []
        self.over = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients of these tests go away in mid-answer."""
