"""The server that nodes of the soak call: it counts the calls of each key and node, and outlives everything killed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Counting:
    """`counts` is by path, `/KEY/NODE`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.counts: Counter[str] = Counter()


@contextmanager
def counting() -> Iterator[Counting]:
    """A running one, on a free port of loopback."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                found.counts[self.path] += 1
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: thousands of lines."""

    lock = threading.Lock()
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        found = Counting(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
