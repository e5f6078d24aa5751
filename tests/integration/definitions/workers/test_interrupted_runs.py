"""Runs that are canceled, take too long or lose their worker: what runs last does, and a retry takes what there is."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterRunStatus, RunsFilter
from dagster._daemon.monitoring import run_monitoring

from definitions.instance.run_events import UNENDED
from platform_core.ending_times import EndingTimes
from platform_core.runs.run_store import accept_run, get_run, retry_of
from tests.code_folder import code_folder
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
    with Service("workers.worker_pool") as pool:
        pool.wait_for_workers()
        yield pool


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in which users' code may look."""
    with code_folder() as folder:
        yield folder


def cancel(site: Site, run_id: str) -> None:
    site.cancel(run_id)
    site.cancel_requested()


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


def monitor(site: Site, monkeypatch: pytest.MonkeyPatch, later: float) -> None:
    """What Dagster's monitor does `later` seconds from now."""
    moment = time.time() + later
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: moment)
        for record in site.instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.CANCELING])):
            run_monitoring.monitor_canceling_run(site.instance, record, logging.getLogger("monitor"))


def test_monitor_leaves_finally_nodes_their_time_and_says_so_in_our_words(
    site: Site, pool: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
import os, time
def main(folder: str) -> str:
    print("cleaning", flush=True)
    while not os.path.exists(f"{folder}/go"):
        time.sleep(0.01)
    return "clean"
"""
    graph = document("slow-end", delay("nap", "10m"), python("clean", code, {"folder": str(folder)}, **LAST))
    runs = []
    for _ in range(2):
        runs.append(site.launch(graph))
        site.wait_for_event(runs[-1], "node.started", "nap")
    first, second = runs
    cancel(site, first)
    site.wait_for_event(first, "stdout", "clean")
    monitor(site, monkeypatch, later=45)
    assert site.run(first).status == "CANCELING"
    (folder / "go").touch()
    site.wait_for_status(first, "CANCELED")
    shown = {event.node: event.data["value"] for event in site.events(first) if event.type == "node.output"}
    assert shown == {"clean": "clean"}
    (folder / "go").unlink()
    cancel(site, second)
    site.wait_for_event(second, "stdout", "clean")
    monitor(site, monkeypatch, later=EndingTimes.of(site.settings).monitor + 1)
    run = site.run(second)
    assert (run.status, run.error) == ("CANCELED", {"kind": "canceled", "message": UNENDED, "node": None})
    (folder / "go").touch()


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
        settings={"on_worker_loss": "fail"},
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
    assert started == [("each", None), ("each", 1)]
    assert site.workers_of(new.run_id) != [worker]


TWO_AT_A_TIME = """
import os, time
def main(item: int, folder: str) -> int:
    if item >= 2 and not os.path.exists(f"{folder}/again"):
        print("asleep", flush=True)
        time.sleep(600)
    return item * 2
"""


@pytest.mark.parametrize("loss", ["cancel", "kill"])
@pytest.mark.parametrize("keys", [{}, {"on_item_error": "collect"}, {"on_error": "continue"}], ids=str)
def test_retry_executes_items_that_were_stopped_and_those_that_never_began(
    site: Site, pool: Service, folder: Path, loss: str, keys: dict[str, str]
) -> None:
    each = python("each", TWO_AT_A_TIME, {"folder": str(folder)}, foreach=list(range(6)), max_parallel=2, **keys)
    outputs = {"all": "{{ nodes.each.result }}"}
    first = site.launch(document("cut-short", each, outputs=outputs, settings={"on_worker_loss": "fail"}))
    asleep = {("stdout", 2), ("stdout", 3)}
    wait_until(lambda: asleep <= {(e.type, e.item) for e in site.events(first)}, "two items are under way", 60)
    if loss == "cancel":
        cancel(site, first)
        site.wait_for_status(first, "CANCELED", deadline=60)
    else:
        os.kill(site.workers_of(first)[0], signal.SIGKILL)
        site.wait_for_status(first, "FAILURE", deadline=60)
    (folder / "again").touch()
    with site.engine.begin() as connection:
        new, _ = accept_run(connection, retry_of(connection, get_run(connection, first), "failure"))
    site.start(new.run_id)
    run = site.wait_for_status(new.run_id, "SUCCESS", "FAILURE", deadline=60)
    assert (run.error, run.outputs) == (None, {"all": [0, 2, 4, 6, 8, 10]})
    started = sorted(e.item for e in site.events(new.run_id) if e.type == "node.started" and e.item is not None)
    assert started == [2, 3, 4, 5]
