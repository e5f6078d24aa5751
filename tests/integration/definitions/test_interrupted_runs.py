"""Runs that are cancelled, take too long or lose their worker: what runs last does, and a retry takes what there is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from definitions.execution import executors
from platform_core.runs.run_store import accept_run, get_run, retry_of
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import delay, document, python, transform
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site
from tests.waiting import wait_until

LAST = {"finally": True}
WAITS_AT_FIRST = """
import os, time
def main(item: int, folder: str, text: str = "") -> int:
    if item == 1 and not os.path.exists(f"{folder}/again"):
        print("asleep", flush=True)
        time.sleep(600)
    return item * 10 + len(text)
"""


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_IDLE_WORKERS="1")


@pytest.fixture(scope="module")
def pool(site: Site) -> Iterator[Service]:
    with Service("worker_pool") as pool:
        pool.wait_for_workers()
        yield pool


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in which users' code may look."""
    with TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def cancel(site: Site, run_id: str) -> None:
    site.cancel(run_id)
    site.submission.cancel_requested()


def test_nodes_that_run_last_run_after_a_cancel(site: Site, pool: Service) -> None:
    site.save_graph(document("long", delay("nap", "10m"), transform("sweep", "{{ run.status }}", **LAST)))
    call = {"id": "it", "type": "graph", "config": {"graph": "long"}}
    end = python("end", "def main(kind: str) -> str: return kind", {"kind": "{{ run.error.kind }}"}, **LAST)
    run_id = site.launch(document("caller", call, end, transform("never", 1, after=["it"])))
    site.wait_for_event(run_id, "node.started", "it/nap")
    cancel(site, run_id)
    run = site.wait_for_status(run_id, "CANCELED", deadline=60)
    assert run.error == {"kind": "canceled", "message": "The run was canceled.", "node": None}
    shown = {event.node: event.data["value"] for event in site.events(run_id) if event.type == "node.output"}
    assert shown == {"it/sweep": "CANCELED", "end": "canceled"}


def test_nodes_that_run_last_have_their_time_after_the_run_timed_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "LAST_SECONDS", 0.5)
    graph = document(
        "late",
        delay("nap", "10m"),
        transform("quick", "{{ run.status }} {{ run.error.kind }}", **LAST),
        delay("endless", "10m", **LAST),
        settings={"timeout": "500ms"},
    )
    run_id = site.execute(graph)
    run = site.run(run_id)
    assert (run.status, (run.error or {})["kind"]) == ("FAILURE", "run_timeout")
    ends = {event.node: event.type for event in site.events(run_id) if event.type.startswith("node.")}
    assert ends == {"nap": "node.failed", "quick": "node.succeeded", "endless": "node.failed"}


def test_retry_after_a_killed_worker_takes_values_and_items_on_another(site: Site, pool: Service, folder: Path) -> None:
    each = python(
        "each", WAITS_AT_FIRST, {"folder": str(folder), "text": "{{ inputs.text }}"}, foreach=[0, 1, 2], max_parallel=3
    )
    graph = document(
        "interrupted",
        transform("large", "x" * 100_000),
        each,
        edges=("large.value -> each.text",),
        outputs={"all": "{{ nodes.each.result }}"},
    )
    first = site.launch(graph)
    site.wait_for_event(first, "stdout", "each", deadline=60)
    others = {("node.succeeded", 0), ("node.succeeded", 2)}
    wait_until(lambda: others <= {(e.type, e.item) for e in site.events(first)}, "the other items succeeded", 60)
    (worker,) = site.workers_of(first)
    os.kill(worker, signal.SIGKILL)
    site.wait_for_status(first, "FAILURE", deadline=60)
    (folder / "again").touch()
    with site.engine.begin() as connection:
        new, _ = accept_run(connection, retry_of(connection, get_run(connection, first), "failure"))
    site.start(new.run_id)
    run = site.wait_for_status(new.run_id, "SUCCESS", "FAILURE", deadline=60)
    assert (run.error, run.outputs) == (None, {"all": [100_000, 100_010, 100_020]})
    started = [(e.node, e.item) for e in site.events(new.run_id) if e.type == "node.started"]
    assert started == [("each", 1)]
    assert site.workers_of(new.run_id) != [worker]
