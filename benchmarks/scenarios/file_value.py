"""Memory for 100 MB through a file value: downloaded, copied and uploaded by nodes, in a process of its own."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.figures.figure import Figure

SIZE = 100 * 1024 * 1024
PORTION = 64 * 1024


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(SIZE))
        self.end_headers()
        for _ in range(SIZE // PORTION):
            self.wfile.write(bytes(PORTION))

    def do_PUT(self) -> None:
        left = int(self.headers["content-length"])
        while left:
            left -= len(self.rfile.read(min(left, PORTION)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def _server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def _measure(url: str, home: str, answer: Connection) -> None:
    from definitions.execution.context import ProcessContext
    from definitions.services.services import Services
    from platform_core.settings import Settings
    from tests.integration.nodes.nodes import run_node

    settings = Settings(home=Path(home), http_allow_private=True)
    process = ProcessContext(settings)
    services = Services(settings, "bench", http=process.http, interpreter=lambda: process.interpreter)
    run_node(services, "file.write", {"path": "small", "content": "x"})
    run_node(services, "http.request", {"url": url, "method": "PUT", "file": "small"})
    before, began = _peak(), time.monotonic()
    file = run_node(services, "http.request", {"url": url, "save_as": "big", "timeout": "5m"})["body"]
    copy = run_node(services, "file.write", {"path": "copy", "from": file})["file"]
    run_node(services, "http.request", {"url": url, "method": "PUT", "file": copy, "timeout": "5m"})
    assert copy["size"] == SIZE
    answer.send((before, _peak(), time.monotonic() - began))


def _peak() -> float:
    """MB; not `ru_maxrss`, which a program takes over from the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def measure(repetitions: int) -> list[Figure]:
    runs = [_once() for _ in range(max(1, repetitions // 3))]
    return [
        Figure("100 MB through a file value: growth of peak memory", "MB", [grown for grown, _ in runs], goal="100 MB"),
        Figure("100 MB downloaded, copied and uploaded by nodes", "s", [seconds for _, seconds in runs]),
    ]


def _once() -> tuple[float, float]:
    """Growth in MB of the process that executes the nodes, and seconds."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    with _server() as url, tempfile.TemporaryDirectory() as home:
        process = context.Process(target=_measure, args=(url, home, theirs))
        process.start()
        before, after, seconds = ours.recv()
        process.join()
    return after - before, seconds
