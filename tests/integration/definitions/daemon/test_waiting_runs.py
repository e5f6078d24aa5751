"""Runs that wait without a worker: the real daemon gives them to one when their time has come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from platform_core.facts.run_status import ENDED
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import delay, document, python, transform, versioned
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site
from tests.waiting import wait_until

LONG = "10m"
RECOVERY = 60.0


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_SUSPEND_OVER="0.5", HEADRACE_IDLE_WORKERS="1", HEADRACE_MAX_CONCURRENT_RUNS="2")


@pytest.fixture(scope="module", autouse=True)
def pool(site: Site) -> Iterator[Service]:
    with Service("workers.worker_pool") as pool:
        pool.wait_for_workers()
        yield pool


@pytest.fixture(autouse=True)
def daemon(site: Site, pool: Service) -> Iterator[Service]:
    with Service("daemon.daemon") as daemon:
        yield daemon


def napping(name: str, duration: str, **parts: object) -> dict[str, object]:
    before = python("before", "import os\ndef main(): return os.getpid()\n")
    end = transform("end", "{{ inputs.x > 0 }}", after=["nap"])
    nodes = [before, delay("nap", duration, after=["before"]), end]
    return document(name, *nodes, edges=("before.result -> end.x",), outputs={"end": "{{ nodes.end.value }}"}, **parts)


def test_run_that_waits_has_no_worker_and_goes_on_when_its_time_has_come(site: Site) -> None:
    run_id = site.accept(site.save_graph(napping("nap", "3s")))
    run = site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    assert run.wake_at is not None
    assert 0 < (run.wake_at - datetime.now(UTC)).total_seconds() <= 3
    assert site.dagster_status(run_id) == "WAITING"
    run = site.wait_for_status(run_id, *ENDED, deadline=RECOVERY)
    assert (run.status, run.outputs, run.wake_at) == ("SUCCESS", {"end": True}, None)
    assert site.dagster_status(run_id) == "SUCCESS"
    types = ("run.started", "run.waiting", "run.resumed", "node.started", "node.waiting", "run.succeeded")
    assert site.story(run_id, *types) == [
        ("run.started", None),
        ("node.started", "before"),
        ("node.started", "nap"),
        ("node.waiting", "nap"),
        ("run.waiting", None),
        ("run.resumed", None),
        ("node.started", "end"),
        ("run.succeeded", None),
    ]


def test_repeat_holds_no_worker_between_its_turns(site: Site) -> None:
    until = "{{ iteration == 2 }}"
    poll = {**python("poll", "def main(): return 1\n"), "repeat": {"until": until, "delay": "2s"}}
    run_id = site.accept(site.save_graph(document("polling", poll, outputs={"poll": "{{ nodes.poll.result }}"})))
    site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    run = site.wait_for_status(run_id, *ENDED, deadline=RECOVERY)
    assert (run.status, run.outputs, site.dagster_status(run_id)) == ("SUCCESS", {"poll": 1}, "SUCCESS")
    started = [node for _, node in site.story(run_id, "node.started")]
    assert started == ["poll", "poll#0", "poll#1", "poll#2"]
    assert len(site.story(run_id, "run.resumed")) == 2


def test_many_that_are_due_at_once_are_woken_once_each_within_the_limit(site: Site) -> None:
    graph = site.save_graph(napping("many", "2s"))
    run_ids = [site.accept(graph) for _ in range(12)]
    for run_id in run_ids:
        assert site.wait_for_status(run_id, *ENDED, deadline=RECOVERY).status == "SUCCESS"
    for run_id in run_ids:
        resumed = [event for event in site.events(run_id) if event.type == "run.resumed"]
        assert len(resumed) == 1
        assert site.fetch("SELECT generation, losses FROM headrace.runs WHERE run_id = :run", run=run_id) == [(1, 0)]


def test_run_that_is_due_soon_after_another_waits_for_no_end_of_that(site: Site) -> None:
    sleeps = python("sleeps", "import time\ndef main(): time.sleep(8)\n", after=["nap"])
    first = site.accept(site.save_graph(document("long-after", delay("nap", "3s"), sleeps)))
    second = site.accept(site.save_graph(napping("soon-after", "4s")))
    for run_id in (first, second):
        site.wait_for_status(run_id, *ENDED, deadline=RECOVERY)
    (resumed,) = [event for event in site.events(second) if event.type == "run.resumed"]
    assert resumed.ts < site.events(first)[-1].ts


def test_waiting_runs_hold_no_slot_but_their_graphs_own(site: Site) -> None:
    only = site.save_graph(napping("only", LONG, settings={"max_concurrent_runs": 1}))
    first, second = site.accept(only), site.accept(only)
    others = [site.accept(site.save_graph(napping("others", LONG))) for _ in range(site.settings.max_concurrent_runs)]
    for run_id in (first, *others):
        site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    quick = site.accept(site.save_graph(versioned("quick", 1)))
    site.wait_for_status(quick, "SUCCESS", deadline=RECOVERY)
    assert site.run(second).status == "QUEUED"
    site.cancel(first)
    site.wait_for_status(second, "WAITING", deadline=RECOVERY)
    for run_id in (second, *others):
        site.cancel(run_id)
    for run_id in (first, second, *others):
        site.wait_for_status(run_id, "CANCELED", deadline=RECOVERY)


def test_cancel_of_a_waiting_run_lets_what_runs_last_run(site: Site) -> None:
    last = transform("last", "{{ run.status }}", **{"finally": True})
    run_id = site.accept(site.save_graph(document("swept", delay("nap", LONG), last)))
    site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    site.cancel(run_id)
    run = site.wait_for_status(run_id, *ENDED, deadline=RECOVERY)
    assert (run.status, run.wake_at, site.dagster_status(run_id)) == ("CANCELED", None, "CANCELED")
    shown = {event.node: event.data["value"] for event in site.events(run_id) if event.type == "node.output"}
    assert shown == {"last": "CANCELED"}
    assert site.story(run_id, "node.failed") == [("node.failed", "nap")]


def test_time_of_the_run_counts_on_while_it_waits(site: Site) -> None:
    run_id = site.accept(site.save_graph(napping("late", LONG, settings={"timeout": "2s"})))
    site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    run = site.wait_for_status(run_id, *ENDED, deadline=RECOVERY)
    assert (run.status, (run.error or {})["kind"]) == ("FAILURE", "run_timeout")


def test_long_rest_before_another_attempt_is_a_wait(site: Site) -> None:
    failing = {"id": "f", "type": "fail", "config": {"message": "no", "retryable": True}}
    retry = {"max_attempts": 2, "delay": "2s"}
    run_id = site.accept(site.save_graph(document("rests", {**failing, "retry": retry})))
    site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    run = site.wait_for_status(run_id, *ENDED, deadline=RECOVERY)
    assert (run.status, (run.error or {})["attempts"]) == ("FAILURE", 2)


def test_run_whose_time_comes_while_no_daemon_lives_goes_on_with_the_next(site: Site, daemon: Service) -> None:
    run_id = site.accept(site.save_graph(napping("orphan", "2s")))
    run = site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    daemon.kill()
    wait_until(lambda: run.wake_at is not None and datetime.now(UTC) > run.wake_at, "its time has come")
    assert site.run(run_id).status == "WAITING"
    with Service("daemon.daemon"):
        assert site.wait_for_status(run_id, *ENDED, deadline=RECOVERY).status == "SUCCESS"


def test_run_that_was_woken_and_reached_no_worker_is_given_to_another(site: Site, daemon: Service) -> None:
    run_id = site.accept(site.save_graph(napping("lost", LONG)))
    site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    daemon.kill()
    with site.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE headrace.runs SET wake_at = now() WHERE run_id = %s", (run_id,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.instance.run_launcher, "send", lambda *_: False)  # what dies before it has sent anything
        assert site.submission.wake([run_id, run_id]) == 1
    assert site.submission.wake([run_id]) == 0
    assert site.dagster_status(run_id) == "RUNNING"
    with Service("daemon.daemon"):
        site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
        site.cancel(run_id)
        site.wait_for_status(run_id, "CANCELED", deadline=RECOVERY)
