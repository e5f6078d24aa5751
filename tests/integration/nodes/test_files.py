"""Files through real services: downloads, uploads and copies on a web server of the test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from definitions.services.services import Services
from graph_compiler.values.errors import NodeError
from tests.integration.nodes.nodes import run_node

CONTENT = bytes(range(256)) * 20_000


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length", "0")))
        seen = {"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()}}
        status, headers, body = 200, {"content-type": "application/json"}, b""
        if self.path == "/file":
            headers, body = {"content-type": "application/octet-stream"}, CONTENT
        elif self.path == "/again":
            status, headers = 307, {"location": "/echo"}
        elif self.path.startswith("/to/"):
            status, headers = 307, {"location": f"http://localhost:{self.path.removeprefix('/to/')}/echo"}
        elif self.path == "/gone":
            status, body = 404, b'{"error": "gone"}'
        else:
            digest = sha256(sent).hexdigest()
            text = sent.decode("utf-8", "replace") if len(sent) < 2000 else ""
            body = json.dumps({**seen, "size": len(sent), "sha256": digest, "text": text}).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_file_is_downloaded_copied_and_uploaded_unchanged(services: Services, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    saved = run_node(services, "http.request", {"url": f"{url}/file", "save_as": "in/data.bin"})["body"]
    digest = sha256(CONTENT).hexdigest()
    assert saved == {
        "$file": "files:in/data.bin",
        "size": len(CONTENT),
        "media_type": "application/octet-stream",
        "sha256": digest,
    }
    copied = run_node(services, "file.write", {"path": "copy.bin", "from": saved})["file"]
    fetched = run_node(services, "file.write", {"path": "fetched.bin", "from": f"{url}/file"})["file"]
    assert (copied["sha256"], fetched["sha256"]) == (digest, digest)
    for path in ("echo", "again"):
        sent = run_node(services, "http.request", {"url": f"{url}/{path}", "method": "PUT", "file": copied})["body"]
        assert (sent["path"], sent["size"], sent["sha256"]) == ("/echo", len(CONTENT), digest)
        assert sent["headers"]["content-length"] == str(len(CONTENT))
    files = run_node(services, "file.list", {})["files"]
    assert [file["$file"] for file in files] == ["files:copy.bin", "files:fetched.bin", "files:in/data.bin"]


def test_answer_that_is_an_error_is_not_saved(services: Services, port: int) -> None:
    config = {"url": f"http://127.0.0.1:{port}/gone", "save_as": "x", "fail_on_status": False}
    answer = run_node(services, "http.request", config)
    assert (answer["status"], answer["body"]) == (404, {"error": "gone"})
    assert run_node(services, "file.list", {})["files"] == []


def test_forms_are_sent_as_such(services: Services, port: int) -> None:
    run_node(services, "file.write", {"path": "a.csv", "content": "x,y"})
    base = {"url": f"http://127.0.0.1:{port}/echo", "method": "POST", "form": {"a": ["1", 2], "b": "ü"}}
    plain = run_node(services, "http.request", base)["body"]
    assert plain["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert plain["text"] == "a=1&a=2&b=%C3%BC"
    mixed = run_node(services, "http.request", base | {"files": {"f": "a.csv"}})["body"]
    assert mixed["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    assert 'name="f"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\nx,y\r\n' in mixed["text"]


def test_key_does_not_follow_a_redirect_to_another_server(services: Services, port: int) -> None:
    auth = {"type": "api_key", "secret": "key"}
    config = {"url": f"http://127.0.0.1:{port}/to/{port}", "auth": auth}
    away = run_node(services, "http.request", config, secrets={"key": "s3cr3t"})["body"]
    assert "s3cr3t" not in json.dumps(away)
    config = {"url": f"http://127.0.0.1:{port}/again", "auth": auth}
    stayed = run_node(services, "http.request", config, secrets={"key": "s3cr3t"})["body"]
    assert stayed["headers"]["x-api-key"] == "s3cr3t"


def test_missing_file_is_not_sent(services: Services, port: int, tmp_path: Path) -> None:
    with pytest.raises(NodeError) as raised:
        run_node(services, "http.request", {"url": f"http://127.0.0.1:{port}/echo", "method": "PUT", "file": "none"})
    assert (raised.value.kind, raised.value.message) == ("file_missing", "there is no files:none")
