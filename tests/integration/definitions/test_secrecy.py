"""A run that uses a secret in every place that takes one, with services and nodes that tell it, leaves it nowhere.

Searched are all columns of all tables of the database, Dagster's too, and every file below the home: spilled values,
logs, Dagster's storage.
"""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from definitions.execution.context import process_context
from platform_core.identity.secret_store import put_secret
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import document, python, transform
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site

SECRET = "Tr0ub4dor&3-of-the-mill"
"""With a character that URLs, forms and shells write in another way."""
FORMS = [SECRET, "Tr0ub4dor"]


class Echo(BaseHTTPRequestHandler):
    """Tells whatever it is asked with, as careless services do; at `/large` many times, at `/bytes` as bytes."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        told = {"path": self.path, "headers": dict(self.headers.items()), "body": body.decode()}
        text = json.dumps(told) * (2000 if "large" in self.path else 1)
        kind = "application/octet-stream" if "bytes" in self.path else "text/plain"
        self.send_response(418 if "fail" in self.path else 200)
        for name, value in {"content-type": kind, "content-length": str(len(text)), "x-told": self.path}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Iterator[Site]:
    site = create_site(
        HEADRACE_IDLE_WORKERS="1", HEADRACE_HTTP_ALLOW_PRIVATE="true", HEADRACE_SERVICES_ALLOW_PRIVATE="true"
    )
    with Service("workers.worker_pool") as pool:
        pool.wait_for_workers()
        yield site


def tables_with(site: Site, text: str) -> list[str]:
    """Every table of the database that has the text in any column of any row, as text or as bytes."""
    found = site.fetch("SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT LIKE 'pg_%'")
    hexadecimal = text.encode().hex()
    return [
        f"{schema}.{table}"
        for schema, table in found
        if schema != "information_schema"
        for (row,) in site.fetch(f'SELECT t::text FROM "{schema}"."{table}" AS t')
        if text in row or hexadecimal in row or text in _decoded(row)
    ]


def _decoded(row: str) -> str:
    """The row with the escapes of JSON undone, once and twice."""
    return row.replace('\\\\"', '"').replace('\\"', '"') + row.replace("\\\\u0026", "&").replace("\\u0026", "&")


def files_with(home: Path, text: str) -> list[str]:
    return [str(path) for path in home.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def nodes(url: str) -> list[dict[str, Any]]:
    told = "{{ secrets.token }}"
    dead = {"on_error": "route", "retry": {"max_attempts": 2, "delay": 0}}

    def http(id: str, path: str = "/", **config: Any) -> dict[str, Any]:
        return {"id": id, "type": "http.request", "config": {"url": url + path, "method": "POST", **config}}

    return [
        http("header", headers={"x-token": told}),
        http("address", f"/a/{told}"),
        http("query", query={"q": told}),
        http("text", body=f"<{told}>"),
        http("object", json={"k": [told]}),
        http("form", form={"k": told}),
        http("bearer", auth={"type": "bearer", "secret": "token"}),
        http("key", auth={"type": "api_key", "secret": "token"}),
        http("large", "/large", body=told),
        http("binary", "/bytes", body=told),
        http("failing", "/fail", body=told, fail_on_status=False),
        http("refused", f"/fail/{told}", headers={"x": told}) | dead,
        http("unreachable") | {"config": {"url": f"http://{told}@127.0.0.1:9/{told}"}} | dead,
        http("bad", headers={"bad": told + "\n"}) | dead,
        http("undefined", f"/{{{{ secrets.token.{'missing'} }}}}") | dead,
        {"id": "shell", "type": "shell", "config": {
            "script": 'echo "$T"; echo "$T" >&2; printf "%s" "$T"; cat; sleep 0; echo "{\\"k\\": \\"$T\\"}"',
            "env": {"T": told}, "stdin": told}},
        {"id": "shell_fails", "type": "shell", "config": {"script": 'echo "no: $T" >&2; exit 3',
           "env": {"T": told}}, **dead},
        {"id": "sql", "type": "sql.query", "config": {"connection": "database", "statement": "SELECT 1"}, **dead},
        {"id": "sql_bad", "type": "sql.query", "config": {"connection": "token", "statement": "SELECT 1"}, **dead},
        {"id": "mail", "type": "email.send", "config": {
            "server": "mail", "from": "a@x.test", "to": ["b@x.test"], "subject": "s", "text": "t"}, **dead},
        {"id": "mail_bad", "type": "email.send", "config": {
            "server": "token", "from": "a@x.test", "to": ["b@x.test"], "subject": "s", "text": "t"}, **dead},
        *({"id": f"publish_{scheme}", "type": "publish",
           "config": {"broker": scheme, "topic": "t", "body": "b", "timeout": "1s"}, **dead}
          for scheme in ("amqp", "redis", "nats", "kafka", "token")),
        {"id": "file", "type": "file.read", "config": {"file": "s3://b/x", "connection": "store",
           "timeout": "5s"}, **dead},
        {"id": "file_bad", "type": "file.read", "config": {"file": "s3://b/x", "connection": "token"}, **dead},
        transform("use", "{{ inputs.echoed }} and {{ inputs.large | length }}"),
        python("code", "def main(echoed):\n    print(echoed)\n    return echoed", cache={"key": "k", "ttl": "1h"}),
        {"id": "variable", "type": "python", "config": {"args": {"key": told}, "env": {"T": told},
           "code": "import os\ndef main(key):\n    print(os.environ['T'], key)\n    return [os.environ['T'], key]"}},
        {"id": "variable_raises", "type": "python", "config": {"args": {"key": told}, "env": {"T": told},
           "code": "import os\ndef main(key): raise ValueError(os.environ['T'] + key)"}, "on_error": "continue"},
        python("raises", "def main(echoed): raise ValueError(echoed)", on_error="continue"),
        {"id": "logged", "type": "log", "config": {"message": "{{ inputs.echoed }}",
           "data": {"k": "{{ inputs.echoed }}"}}},
    ]  # fmt: skip


def test_secret_is_nowhere_after_a_run_that_uses_it_everywhere(site: Site, url: str) -> None:
    dead = f"ann:{SECRET.replace('&', '%26')}@127.0.0.1:9"
    secrets = {
        "token": SECRET,
        "database": f"postgresql://{dead}/shop",
        "mail": f"smtp://{dead}?tls=none",
        "store": json.dumps({"key": "k", "secret": SECRET, "endpoint_url": "http://127.0.0.1:9"}),
    } | {scheme: f"{scheme}://{dead}" for scheme in ("amqp", "redis", "nats", "kafka")}
    with site.engine.begin() as connection:
        for name, value in secrets.items():
            put_secret(connection, process_context().keys, site.owner_id, name, value)
    edges = ("text.body -> use.echoed", "large.body -> use.large", "shell.stdout -> code.echoed",
             "query.body -> raises.echoed", "object.body -> logged.echoed")  # fmt: skip
    outputs = {"told": "{{ nodes.header.body }}", "bytes": "{{ nodes.binary.body }}"}
    run_id = site.launch(document("secretive", *nodes(url), edges=edges, outputs=outputs))
    run = site.wait_for_status(run_id, "SUCCESS", "FAILURE", deadline=120)
    assert run.status == "SUCCESS", run.error
    assert run.outputs is not None
    assert "***" in run.outputs["told"]
    assert b64encode(SECRET.encode())[4:-8].decode() not in run.outputs["bytes"]["$bytes"]
    assert site.fetch("SELECT FROM headrace.run_values WHERE run_id = :run AND location IS NOT NULL", run=run_id)
    told = site.fetch("SELECT action, target_name FROM headrace.audit WHERE actor_id = :run", run=run_id)
    assert sorted(map(tuple, told)) == [("secret.read", name) for name in sorted(secrets)]
    for form in FORMS:
        assert tables_with(site, form) == []
        assert files_with(site.settings.home, form) == []


def test_search_would_find_it(site: Site) -> None:
    """What is no secret is found in every kind of place that was searched."""
    shown = "not-a-secret-at-all"
    large = transform("large", shown * 5000)
    run_id = site.launch(document("open", large, python("code", f"def main(): print({shown!r}); return {shown!r}")))
    site.wait_for_status(run_id, "SUCCESS", deadline=60)
    assert {"public.event_logs", "headrace.run_events", "headrace.run_values"} <= set(tables_with(site, shown))
    assert files_with(site.settings.home / "values", shown) != []
