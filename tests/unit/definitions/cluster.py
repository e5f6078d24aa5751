"""A small API server: objects in memory, lists and watches over HTTP, and faults on demand.

The real one is in tests/kubernetes. This one breaks streams, forgets versions and refuses at the moment a test wants.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from kubernetes import client

from definitions.kubernetes.api import KubernetesApi

Json = dict[str, Any]
NAMESPACE = "headrace-runs"
_PATH = re.compile(r"^/(?:api/v1|apis/batch/v1)/namespaces/([^/]+)/(pods|jobs|events)(?:/([^/]+))?(/log)?$")


class Cluster:
    """What the server holds; `change` and `remove` are what controllers and kubelets would do."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.objects: dict[tuple[str, str], Json] = {}
        self.history: list[tuple[int, str, Json, str]] = []
        self.version = 100
        self.forgotten = 0
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[Json] = []
        self.broken = threading.Event()
        self.away = threading.Event()
        self.refusal: tuple[int, Json] | None = None
        self.logs: dict[str, list[bytes]] = {}

    def change(self, kind: str, thing: Json) -> None:
        with self.changed:
            key = (kind, str(thing["metadata"]["name"]))
            verb = "MODIFIED" if key in self.objects else "ADDED"
            self.version += 1
            stored = {**thing, "metadata": {**thing["metadata"], "resourceVersion": str(self.version)}}
            self.objects[key] = stored
            self.history.append((self.version, verb, stored, kind))
            self.changed.notify_all()

    def remove(self, kind: str, name: str) -> None:
        with self.changed:
            gone = self.objects.pop((kind, name))
            self.version += 1
            gone = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}}
            self.history.append((self.version, "DELETED", gone, kind))
            self.changed.notify_all()

    def break_watches(self, *, forget: bool = False) -> None:
        """End all streams now; with `forget` the versions until now are too old to go on from."""
        with self.changed:
            if forget:
                self.version += 1
                self.forgotten = self.version
            self.broken.set()
            self.changed.notify_all()
        time.sleep(0.05)
        self.broken.clear()

    def names(self, kind: str) -> list[str]:
        with self.changed:
            return [name for each, name in self.objects if each == kind]

    def count(self, verb: str, kind: str) -> int:
        return self.requests.count((verb, kind))


class _Responder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: ClassVar[Cluster]

    def do_GET(self) -> None:
        place, query = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
        match = _PATH.match(place.path)
        assert match is not None, self.path
        _, kind, name, log = match.groups()
        is_watch = query.get("watch") == ["True"] or query.get("watch") == ["true"]
        self.cluster.requests.append(("log" if log else "watch" if is_watch else "get" if name else "list", kind))
        if self.cluster.away.is_set():
            self._answer(503, {"message": "the server is starting", "reason": "ServiceUnavailable"})
        elif log:
            self._stream(iter(self.cluster.logs.get(str(name), [])))
        elif name:
            found = self.cluster.objects.get((kind, name))
            self._answer(404, {"reason": "NotFound"}) if found is None else self._answer(200, found)
        elif is_watch:
            self._stream(self._changes(kind, int(query["resourceVersion"][0])))
        else:
            with self.cluster.changed:
                items = [thing for (each, _), thing in self.cluster.objects.items() if each == kind]
                self._answer(200, {"metadata": {"resourceVersion": str(self.cluster.version)}, "items": items})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        match = _PATH.match(self.path)
        assert match is not None
        kind = match.group(2)
        self.cluster.requests.append(("create", kind))
        self.cluster.bodies.append(body)
        if self.cluster.away.is_set():
            self._answer(503, {"message": "the server is starting", "reason": "ServiceUnavailable"})
        elif self.cluster.refusal is not None:
            self._answer(*self.cluster.refusal)
        elif (kind, body["metadata"]["name"]) in self.cluster.objects:
            self._answer(409, {"reason": "AlreadyExists", "message": "it exists"})
        else:
            body["metadata"]["uid"] = f"uid-of-{body['metadata']['name']}"
            self.cluster.change(kind, body)
            self._answer(201, self.cluster.objects[kind, body["metadata"]["name"]])

    def do_DELETE(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.cluster.bodies.append(json.loads(self.rfile.read(length)) if length else {})
        match = _PATH.match(urlsplit(self.path).path)
        assert match is not None
        _, kind, name, _ = match.groups()
        self.cluster.requests.append(("delete", kind))
        if self.cluster.away.is_set():
            self._answer(503, {"message": "the server is starting", "reason": "ServiceUnavailable"})
        elif (kind, name) in self.cluster.objects:
            self.cluster.remove(kind, name)
            self._answer(200, {"kind": "Status", "status": "Success"})
        else:
            self._answer(404, {"reason": "NotFound"})

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def _changes(self, kind: str, since: int) -> Iterator[bytes]:
        cluster = self.cluster
        if since < cluster.forgotten:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            yield json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n"
            return
        position = 0
        while not cluster.broken.is_set():
            with cluster.changed:
                news = [entry for entry in cluster.history[position:] if entry[0] > since and entry[3] == kind]
                position = len(cluster.history)
                if not news:
                    cluster.changed.wait(0.2)
            for _, verb, thing, _ in news:
                yield json.dumps({"type": verb, "object": thing}).encode() + b"\n"

    def _answer(self, status: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, lines: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for line in lines:
                self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True


@contextmanager
def serving() -> Iterator[tuple[Cluster, KubernetesApi]]:
    """A cluster and a client of it."""
    cluster = Cluster()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Responder,), {"cluster": cluster}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    configuration = client.Configuration(host=f"http://127.0.0.1:{server.server_address[1]}")
    configuration.retries = False
    connections = client.ApiClient(configuration)
    try:
        yield cluster, KubernetesApi(NAMESPACE, api=connections)
    finally:
        connections.rest_client.pool_manager.clear()
        cluster.broken.set()
        server.shutdown()
        server.server_close()
        thread.join()


def until(condition: Any, seconds: float = 30.0) -> None:
    """Wait for a condition; an assertion fails if it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
