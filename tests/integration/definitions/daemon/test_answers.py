"""Runs that wait for calls and people: the real daemon gives them to a worker once they are answered, exactly once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from platform_core.errors import WaitExpired
from platform_core.facts.run_status import ENDED
from platform_core.runs.wait_store import OpenWait, give_answer, wait_of_node, wait_of_token
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import document, python, transform
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site

RECOVERY = 60.0


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_SUSPEND_OVER="0.5", HEADRACE_IDLE_WORKERS="1")


@pytest.fixture(scope="module", autouse=True)
def pool(site: Site) -> Iterator[Service]:
    with Service("workers.worker_pool") as pool:
        pool.wait_for_workers()
        yield pool


@pytest.fixture
def daemon(site: Site, pool: Service) -> Iterator[Service]:
    with Service("daemon.daemon") as daemon:
        yield daemon


def node(id: str, type: str, config: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"id": id, "type": type, "config": config, **keys}


def order(name: str) -> dict[str, Any]:
    """Asks a person, then waits to be paid."""
    ask = node("ask", "approval", {"message": "Ship?"})
    paid = node("paid", "wait", {"event": {}, "timeout": "1h"}, after=["yes"])
    nodes = [ask, transform("yes", "{{ inputs.a.by }}"), paid, python("told", "def main(at): return at")]
    nodes.append(transform("end", "{{ inputs.e.body }}"))
    edges = ("ask.approved -> yes.a", "paid.address -> told.at", "paid.event -> end.e")
    return document(name, *nodes, edges=edges, outputs={"end": "{{ nodes.end.value }}", "by": "{{ nodes.yes.value }}"})


def answer(site: Site, wait: OpenWait, value: Any, **given: Any) -> None:
    with site.engine.begin() as connection:
        give_answer(connection, wait, value, **given)


def asked(site: Site, run_id: str, name: str) -> OpenWait:
    with site.engine.connect() as connection:
        return wait_of_node(connection, run_id, name)


def told_address(site: Site, run_id: str) -> str:
    (shown,) = [one.data["value"] for one in site.events(run_id) if (one.type, one.node) == ("node.output", "told")]
    return str(shown)


def test_answers_let_a_run_go_on_to_its_end(site: Site, daemon: Service) -> None:
    run_id = site.accept(site.save_graph(order("order")))
    site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    answer(site, asked(site, run_id, "ask"), {}, by="ida", approves=True)
    site.wait_for_event(run_id, "node.succeeded", "told", deadline=RECOVERY)
    site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    with site.engine.connect() as connection:
        wait = wait_of_token(connection, told_address(site, run_id).rpartition("/")[2])
    answer(site, wait, {"sum": 3})
    run = site.wait_for_status(run_id, *ENDED, deadline=RECOVERY)
    assert (run.status, run.outputs) == ("SUCCESS", {"end": {"sum": 3}, "by": "ida"})
    assert site.dagster_status(run_id) == "SUCCESS"
    waits = [(one.node, one.data["for"]) for one in site.events(run_id) if one.type == "node.waiting"]
    assert waits == [("ask", "approval"), ("paid", "event")]
    assert len(site.story(run_id, "run.resumed")) == 2


def test_answer_that_came_while_no_daemon_was_there_counts_once(site: Site) -> None:
    with Service("daemon.daemon"):
        run_id = site.accept(site.save_graph(order("alone")))
        site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    answer(site, asked(site, run_id, "ask"), {}, by="ida", approves=False)
    with Service("daemon.daemon"):
        run = site.wait_for_status(run_id, *ENDED, deadline=RECOVERY)
    assert run.status == "FAILURE"  # its outputs read what was skipped
    given = [one.data["port"] for one in site.events(run_id) if (one.type, one.node) == ("node.output", "ask")]
    assert given == ["rejected"]


def test_canceled_run_ends_its_wait_and_takes_no_answer(site: Site, daemon: Service) -> None:
    run_id = site.accept(site.save_graph(order("canceled")))
    site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    wait = asked(site, run_id, "ask")
    site.cancel(run_id)
    site.wait_for_status(run_id, "CANCELED", deadline=RECOVERY)
    with pytest.raises(WaitExpired):
        answer(site, wait, {}, by="ida", approves=True)
    assert site.dagster_status(run_id) == "CANCELED"


def test_run_whose_worker_is_killed_behind_an_answer_takes_it_once(site: Site, pool: Service, daemon: Service) -> None:
    slow = python("slow", "import time\ndef main(): time.sleep(600)\n", after=["ask"], repeatable=True, timeout="2s")
    ask = node("ask", "approval", {"message": "Go on?"})
    run_id = site.accept(site.save_graph(document("killed", ask, {**slow, "on_error": "continue"})))
    site.wait_for_status(run_id, "WAITING", deadline=RECOVERY)
    answer(site, asked(site, run_id, "ask"), {}, by="ida", approves=True)
    site.wait_for_event(run_id, "node.started", "slow", deadline=RECOVERY)
    os.kill(site.workers_of(run_id)[-1], signal.SIGKILL)
    run = site.wait_for_status(run_id, *ENDED, deadline=RECOVERY)
    assert run.status == "SUCCESS"
    assert site.story(run_id, "node.succeeded") == [("node.succeeded", "ask")]
