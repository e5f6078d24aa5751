"""A web server with awkward answers, for the cases of tests/cases: three pages by links, and an echo of the address."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LINKS = {
    "/several": '<{host}/several?page={page}>; rel="next last"',
    "/commas": '<{host}/commas?fields=id,total&page={page}>; rel="next"',
    "/titled": '<{host}/titled?page={page}>; title="page {page}, more"; rel="next"',
    "/semi": '<{host}/semi;v=2?page={page}>; rel="next"',
    "/semi;v=2": '<{host}/semi;v=2?page={page}>; rel="next"',
}
"""Of each list, as its server writes them."""
LAST_PAGE = 3


class Awkward(BaseHTTPRequestHandler):
    """Answers as real servers do, by grammar that is seldom met."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        page = int(parse_qs(parts.query).get("page", ["1"])[0])
        link = LINKS.get(parts.path)
        body = json.dumps({"path": self.path} if link is None else [page]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if link is not None and page < LAST_PAGE:
            self.send_header("Link", link.format(host=f"http://{self.headers['host']}", page=page + 1))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""


@contextmanager
def awkward_web() -> Iterator[str]:
    """Its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Awkward) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
