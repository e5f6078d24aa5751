"""The time that nodes have which run last; in this process, since no pool beside it may take the runs."""

from __future__ import annotations

import threading

import pytest

from definitions.execution.context import process_context
from definitions.execution.resources import RunRuntime
from platform_core.ending_times import EndingTimes
from tests.integration.definitions.documents import delay, document, transform
from tests.integration.definitions.site import Site

LAST = {"finally": True}


@pytest.fixture
def half_a_second(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of `finally` nodes in runs of this process."""
    settings = site.settings.model_copy(update={"finally_seconds": 0.5})
    monkeypatch.setattr(process_context(), "settings", settings)


@pytest.mark.usefixtures("half_a_second")
def test_nodes_that_run_last_have_at_least_their_time_in_a_run_that_ended_in_time(site: Site) -> None:
    endless = delay("endless", "10m", **LAST)
    run_id = site.execute(document("in-time", transform("one", 1), endless, settings={"timeout": "2s"}))
    run = site.run(run_id)
    assert (run.status, (run.error or {})["kind"]) == ("FAILURE", "run_timeout")
    assert ("node.failed", "endless") in site.story(run_id)


@pytest.mark.usefixtures("half_a_second")
def test_node_that_does_not_stop_holds_up_neither_finally_nodes_nor_the_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EndingTimes, "of", lambda settings: EndingTimes(last=5.0, stop=0.2))
    freed = threading.Event()
    monkeypatch.setattr(RunRuntime, "wait", lambda *_: freed.wait(600))
    graph = document("deaf", delay("nap", "10m"), transform("end", 1, **LAST), settings={"timeout": "500ms"})
    try:
        run_id = site.execute(graph)
    finally:
        freed.set()
    assert (site.run(run_id).error or {})["kind"] == "run_timeout"
    failed = [event.data["kind"] for event in site.events(run_id) if event.type == "node.failed"]
    assert failed == ["canceled"]
    assert ("node.succeeded", "end") in site.story(run_id)


@pytest.mark.usefixtures("half_a_second")
def test_nodes_that_run_last_have_their_time_after_the_run_timed_out(site: Site) -> None:
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
