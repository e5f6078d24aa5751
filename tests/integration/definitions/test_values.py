"""Values between nodes: large ones lie outside of the database, secrets nowhere, results of nodes are taken again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from definitions.execution.context import process_context
from platform_core.identity.secret_store import put_secret
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import document, transform
from tests.integration.definitions.site import Site

SECRET = 'p4ss "word"/of the mill'


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent, as careless services do."""

    def do_GET(self) -> None:
        body = json.dumps({"token": self.headers["x-token"], "path": self.path}).encode()
        self.send_response(401 if "fail" in self.path else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_HTTP_ALLOW_PRIVATE="true")


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def rows_with(site: Site, text: str) -> list[str]:
    """Tables of the whole database that have the text in any column of any row."""
    tables = site.fetch("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'headrace')")
    return [
        f"{schema}.{table}"
        for schema, table in tables
        if any(text in str(row[0]) for row in site.fetch(f'SELECT t::text FROM "{schema}"."{table}" AS t'))
    ]


def test_secret_that_a_service_echoes_is_nowhere_in_the_database(site: Site, url: str) -> None:
    with site.engine.begin() as connection:
        put_secret(connection, process_context().keys, site.owner_id, "token", SECRET)

    def ask(id: str, path: str, **keys: object) -> dict[str, object]:
        config = {
            "url": url + path,
            "headers": {"x-token": "{{ secrets.token | tojson }}"},
            "query": {"q": "{{ secrets.token }}"},
        }
        return {"id": id, "type": "http.request", "config": config, **keys}

    bad = ask("bad", "/{{ secrets.token.missing }}", on_error="route", retry={"max_attempts": 2, "delay": 0})
    nodes = (ask("good", "/"), ask("refused", "/fail"), bad, transform("use", "{{ inputs.body }}"))
    run_id = site.execute(document("secretive", *nodes, edges=("good.body -> use.body",)))
    assert site.run(run_id).status == "FAILURE"
    assert ("node.succeeded", "use") in site.story(run_id)
    (shown,) = [
        event.data["value"] for event in site.events(run_id) if event.node == "use" and event.type == "node.output"
    ]
    assert "***" in shown["path"]
    for form in (SECRET, "word", "p4ss%20", "p4ss+", "p4ss \\"):
        assert rows_with(site, form) == []


def test_large_value_lies_in_a_file_and_is_there_for_a_retry(site: Site) -> None:
    text = "x" * 100_000
    run_id = site.execute(
        document("large", transform("a", text), transform("b", "{{ inputs.x | length }}"), edges=("a.value -> b.x",))
    )
    assert site.run(run_id).status == "SUCCESS"
    rows = site.fetch(
        "SELECT step, value, location FROM headrace.run_values WHERE run_id = :run ORDER BY step", run=run_id
    )
    assert [(row.step, row.value) for row in rows] == [("a", None), ("b", "100000")]
    assert json.loads((site.settings.home / "values" / rows[0].location).read_text()) == text
    stored = site.storage.read_value(run_id, "a", "value")
    assert stored.location is not None
    assert json.loads(process_context().spilled_values.read(stored.location)) == text


def test_result_is_taken_again_until_key_config_or_time_change(site: Site) -> None:
    def run(key: int, more: str = "", ttl: str = "1h") -> object:
        value = "{{ run.id }}" + more
        cached = transform("slow", value, cache={"key": key, "ttl": ttl})
        run_id = site.execute(document("cached", cached, outputs={"slow": "{{ nodes.slow.value }}"}))
        return (site.run(run_id).outputs or {})["slow"]

    first = run(1)
    assert run(1) == first
    assert run(2) != first
    assert run(1, "!") != first
    assert run(3, ttl="1ms") != run(3, ttl="1ms")


def test_failed_result_is_not_taken_again(site: Site) -> None:
    node = {
        "id": "bad",
        "type": "python",
        "config": {"code": "def main(): raise ValueError"},
        "cache": {"key": 1, "ttl": "1h"},
    }
    for _ in range(2):
        assert site.run(site.execute(document("bad-cache", node))).status == "FAILURE"
    assert site.fetch("SELECT key FROM headrace.node_results WHERE outputs LIKE '%ValueError%'") == []
