"""Every way a node fails ends its run with the node, the attempt and the reason named; a run beside it goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from definitions.execution.context import process_context
from graph_compiler.catalogue.node_types import BUILTIN
from platform_core.identity.secret_store import put_secret
from tests.code_folder import code_folder
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import document, python, transform
from tests.integration.definitions.failures import FAILING, LARGE, SECRETS, Failing
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site

WAIT = """
import os, time
def main(path: str):
    while not os.path.exists(path):
        time.sleep(0.05)
    return "undisturbed"
"""


class Web(BaseHTTPRequestHandler):
    """Answers as the path says; `slow` when the test is over."""

    over = threading.Event()

    def do_GET(self) -> None:
        what = self.path.removeprefix("/")
        if what == "slow":
            self.over.wait(60)
        body = b"x" * 9_000_000 if what == "large" else b"{" if what == "broken" else b"fine"
        self.send_response(500 if what == "500" else 200)
        self.send_header("content-type", "application/json" if what == "broken" else "text/plain")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the client had enough

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        Web.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Iterator[Site]:
    site = create_site(
        HEADRACE_IDLE_WORKERS="2", HEADRACE_HTTP_ALLOW_PRIVATE="true", HEADRACE_SERVICES_ALLOW_PRIVATE="true"
    )
    with site.engine.begin() as connection:
        for name, value in SECRETS.items():
            put_secret(connection, process_context().keys, site.owner_id, name, value)
    site.save_called()
    with Service("workers.worker_pool") as pool:
        pool.wait_for_workers()
        yield site


@pytest.fixture(scope="module")
def visible() -> Iterator[Path]:
    """A folder in which users' code may look: pytest's own are closed again by every pytest that starts."""
    with code_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def bystander(site: Site, visible: Path) -> Iterator[str]:
    """A run that lasts as long as all others; it must succeed."""
    path = visible / "over"
    run_id = site.launch(document("bystander", python("wait", WAIT, {"path": str(path)}),
                                  outputs={"said": "{{ nodes.wait.result }}"}))  # fmt: skip
    site.wait_for_event(run_id, "node.started", "wait", 60)
    yield run_id
    assert site.run(run_id).status == "RUNNING"
    path.touch()
    assert site.wait_for_status(run_id, "SUCCESS", "FAILURE", deadline=60).outputs == {"said": "undisturbed"}


def failing_document(failing: Failing, web: str) -> dict[str, Any]:
    config = json.loads(json.dumps(failing.config).replace("{web}", web))
    bad = {"id": "bad", "type": failing.type, "config": config, **failing.keys}
    if not failing.inputs:
        return document("failing", bad)
    before = [transform(f"give_{name}", "{{ params.x }}") for name in failing.inputs]
    edges = tuple(f"give_{name}.value -> bad.{name}" for name in failing.inputs)
    return document("failing", *before, bad, edges=edges, params={"properties": {"x": {}}})


@pytest.mark.parametrize("failing", FAILING, ids=lambda failing: f"{failing.type}-{failing.case}".replace(" ", "_"))
def test_run_names_the_node_the_attempt_and_the_reason(site: Site, web: str, bystander: str, failing: Failing) -> None:
    params = {"x": next(iter(failing.inputs.values()), None)}
    run_id = site.launch(failing_document(failing, web), params)
    run = site.wait_for_status(run_id, "SUCCESS", "FAILURE", deadline=90)
    assert run.error is not None
    told = {name: run.error[name] for name in ("node", "kind", "attempts")}
    assert told == {"node": "bad", "kind": failing.kind, "attempts": failing.attempts}, run.error
    assert failing.said in run.error["message"]
    assert "s3cr3t" not in json.dumps(run.error)
    assert (run.status, site.dagster_status(run_id)) == ("FAILURE", "FAILURE")
    assert site.run(bystander).status == "RUNNING"


def test_value_that_is_too_large_to_be_kept_is_located(site: Site, bystander: str) -> None:
    """From five values that may be kept one is made that may not."""
    made = [python(f"large{number}", LARGE) for number in range(5)]
    whole = transform("whole", [f"{{{{ inputs.x{number} }}}}" for number in range(5)])
    edges = tuple(f"large{number}.result -> whole.x{number}" for number in range(5))
    run = site.wait_for_status(site.launch(document("too-large", *made, whole, edges=edges)), "FAILURE", deadline=120)
    assert run.error is not None
    assert (run.error["node"], run.error["kind"], run.error["attempts"]) == ("whole", "value_too_large", 1)
    assert run.error["message"] == "output value: 39500016 bytes of JSON, more than the 33554432 that are kept"


def test_every_node_type_is_made_to_fail() -> None:
    never = {"merge"}  # it has nothing that could fail
    assert {failing.type for failing in FAILING} == {kind.name for kind in BUILTIN} - never
