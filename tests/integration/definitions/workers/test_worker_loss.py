"""A run whose worker is killed goes on in another: what had ended counts, nothing of it happens again."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import delay, document, python, transform
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site
from tests.waiting import wait_until

COUNTS = """
def main(name: str = "", item: int = 0):
    print(f"count-{name}{item}")
    return item * 10
"""


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site()


@pytest.fixture(scope="module")
def pool(site: Site) -> Iterator[Service]:
    with Service("workers.worker_pool") as pool:
        pool.wait_for_workers()
        yield pool


def has_workers(site: Site, run_id: str, count: int) -> bool:
    return len(site.workers_of(run_id)) == count


def kill_worker(site: Site, run_id: str) -> int:
    worker = site.workers_of(run_id)[-1]
    os.kill(worker, signal.SIGKILL)
    return worker


def test_run_goes_on_in_another_worker_and_repeats_nothing_that_ended(site: Site, pool: Service) -> None:
    site.save_graph(
        document(
            "counted",
            python("once", COUNTS, {"name": "inner"}),
            delay("nap", "3s", after=["once"]),
            outputs={"it": "{{ nodes.once.result }}"},
        )
    )
    graph = document(
        "goes-on",
        python("each", COUNTS, foreach=[1, 2, 3]),
        {"id": "it", "type": "graph", "config": {"graph": "counted"}, "after": ["each"], "retry": {"max_attempts": 2}},
        transform("end", "{{ [inputs.all, inputs.it] }}"),
        edges=("each.result -> end.all", "it.it -> end.it"),
        outputs={"end": "{{ nodes.end.value }}"},
    )
    run_id = site.launch(graph)
    site.wait_for_event(run_id, "node.started", "it/nap", deadline=60)
    before = [event for event in site.events(run_id) if event.type == "node.succeeded"]
    killed = kill_worker(site, run_id)
    run = site.wait_for_status(run_id, "SUCCESS", "FAILURE", deadline=60)
    assert (run.error, run.outputs) == (None, {"end": [[10, 20, 30], 0]})
    assert killed not in site.workers_of(run_id)[1:]
    assert sorted(event.message for event in site.events(run_id) if event.type == "stdout") == [
        "count-1",
        "count-2",
        "count-3",
        "count-inner0",
    ]
    ended = Counter((e.node, e.item) for e in site.events(run_id) if e.type == "node.succeeded")
    assert set(ended.values()) == {1}
    assert {(event.node, event.item) for event in before} <= ended.keys()
    assert site.story(run_id, "run.started", "run.resumed") == [("run.started", None), ("run.resumed", None)]
    assert site.fetch("SELECT generation, losses FROM headrace.runs WHERE run_id = :run", run=run_id) == [(1, 1)]


def test_run_that_loses_every_worker_fails(site: Site, pool: Service) -> None:
    run_id = site.launch(document("unlucky", delay("nap", "10m")))
    for count in range(1, 5):
        has_begun = partial(has_workers, site, run_id, count)
        wait_until(has_begun, f"worker {count} began", 60)
        site.wait_for_event(run_id, "node.started", "nap")
        kill_worker(site, run_id)
    run = site.wait_for_status(run_id, "FAILURE", deadline=60)
    assert run.error == {"kind": "run_failed", "message": "The run worker was killed by SIGKILL.", "node": None}
