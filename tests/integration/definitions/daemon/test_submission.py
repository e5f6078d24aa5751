"""Runs whose turn has come become Dagster runs exactly once, wherever the daemon dies; wishes to cancel reach them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from dagster._serdes import serialize_value

from definitions.daemon import submission
from definitions.daemon.submission import Submission
from definitions.execution.graph_jobs import pinned_job
from definitions.shared.pinning import code_origin, remote_origin
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.graphs.graph_store import Graph
from platform_core.runs.run_store import FROM_FAILURE, NewRun, accept_run
from tests.integration.definitions.documents import versioned, waiting
from tests.integration.definitions.site import Site


class Crash(BaseException):
    """The daemon dies here; not an Exception, so that nothing handles it."""


@pytest.fixture
def run_id(site: Site) -> str:
    return site.accept(site.save_graph(versioned("submitted", 1)), tags={"team": "mill"}, priority=7)


def test_run_whose_turn_it_is_starts_in_dagster_with_its_pin_and_tags(site: Site, run_id: str) -> None:
    graph_id = site.run(run_id).graph_id
    following = site.accept(site.save_graph(versioned("submitted", 1)), tags={"team": "mill"}, priority=7)
    assert site.start(run_id, following) == 2
    for started in (run_id, following):
        run = site.instance.get_run_by_id(started)
        assert run is not None
        assert (run.status.value, run.job_name) == ("STARTING", "ada__submitted")
        assert run.job_code_origin == code_origin("ada__submitted", graph_id, 1)
        assert {name: value for name, value in run.tags.items() if not name.startswith(".dagster")} == {
            "headrace/graph": "submitted",
            "headrace/graph_id": graph_id,
            "headrace/version": "1",
            "headrace/owner": "ada",
            "headrace/trigger_kind": "manual",
            "dagster/priority": "7",
            "team": "mill",
            "dagster/code_location": "headrace",
        }
        assert site.story(started) == [("run.queued", None)]
    assert site.start(run_id, following) == 0


def accept_plain(site: Site, graph: Graph) -> str:
    return site.accept(graph)


def accept_tagged(site: Site, graph: Graph) -> str:
    return site.accept(
        graph, {}, tags={"team": 'the "mill"', "N\N{SNOWMAN}": "\\", "headrace/graph": "mine"}, priority=7
    )


def accept_scheduled(site: Site, graph: Graph) -> str:
    return accept_triggered(site, graph, "schedule", "hourly")


def accept_timed(site: Site, graph: Graph) -> str:
    return accept_triggered(site, graph, "schedule", "soon")


def accept_delivered(site: Site, graph: Graph) -> str:
    return accept_triggered(site, graph, "webhook", "webhook")


def accept_triggered(site: Site, graph: Graph, kind: str, trigger_id: str) -> str:
    new = NewRun(graph.id, graph.version, site.owner_id, {}, TriggerKind(kind), trigger_id=trigger_id, tags={"a": "b"})
    with site.engine.begin() as connection:
        return accept_run(connection, new)[0].run_id


def accept_restart(site: Site, graph: Graph) -> str:
    return site.accept(graph, parent_run_id=site.accept(graph), retry_from="start")


def accept_retry(site: Site, graph: Graph) -> str:
    """Its parent, which is the same for all, has failed in Dagster: a plan names the run that it takes values from."""
    failed = site.fetch("SELECT run_id FROM headrace.runs WHERE graph_id = :g AND status = 'FAILURE'", g=graph.id)
    if failed:
        return site.accept(graph, parent_run_id=failed[0].run_id, retry_from=FROM_FAILURE)
    parent = site.accept(graph)
    site.start(parent)
    run = site.instance.get_run_by_id(parent)
    assert run is not None
    site.instance.report_run_failed(run, "broken")
    return site.accept(graph, parent_run_id=parent, retry_from=FROM_FAILURE)


def accept_odd(site: Site, graph: Graph) -> str:
    """Dagster has columns for these tags."""
    return site.accept(graph, tags={"dagster/partition": "2026", "dagster/backfill": "b"})


@pytest.mark.parametrize(
    "accept",
    [
        accept_plain,
        accept_tagged,
        accept_scheduled,
        accept_timed,
        accept_delivered,
        accept_restart,
        accept_retry,
        accept_odd,
    ],
)
def test_runs_that_start_together_are_stored_as_dagster_stores_them(
    site: Site, accept: Callable[[Site, Graph], str]
) -> None:
    """A daemon makes the first run of a version by Dagster's own code, and the others by one statement."""
    document = versioned("alike", 1)
    hourly = {"id": "hourly", "type": "schedule", "cron": "0 * * * *", "timezone": "UTC"}
    soon = {"id": "soon", "type": "schedule", "every": "45s"}
    graph = site.save_graph({**document, "triggers": [hourly, soon]})
    theirs, *ours = (accept(site, graph) for _ in range(3))
    assert Submission(site.settings, site.engine, site.instance).start([theirs]) == 1
    daemon = Submission(site.settings, site.engine, site.instance)
    assert daemon.start([site.accept(graph)]) == 1
    assert daemon.start(ours) == 2
    for run_id in ours:
        assert stored(site, run_id) == stored(site, theirs)
        run = site.instance.get_run_by_id(run_id)
        assert run is not None
        body = site.fetch("SELECT run_body FROM runs WHERE run_id = :id", id=run_id)
        assert [row[0] for row in body] == [serialize_value(run)]


def test_runs_start_in_their_order_by_one_message(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = site.save_graph(versioned("ordered", 1))
    daemon = site.submission
    daemon.start([site.accept(graph)])
    run_ids = [site.accept(graph) for _ in range(5)]
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(site.instance.run_launcher, "send", lambda *run_ids: sent.append(run_ids))
    wanted = run_ids[::-1]
    assert daemon.start(wanted) == 5
    assert sent == [tuple(wanted)]
    begun = site.fetch("SELECT run_id FROM runs WHERE run_id = ANY(:ids) ORDER BY id", ids=run_ids)
    assert [row[0] for row in begun] == wanted


def test_run_that_ends_as_it_is_chosen_stays_out_and_the_others_start(site: Site) -> None:
    graph = site.save_graph(versioned("chosen", 1))
    daemon = site.submission
    daemon.start([site.accept(graph)])
    first, canceled, submitted, last = (site.accept(graph) for _ in range(4))
    site.cancel(canceled)
    site.start(submitted)
    assert daemon.start([first, canceled, submitted, last]) == 2
    assert [site.run(run_id).status for run_id in (first, canceled, submitted, last)] == [
        "STARTING",
        "CANCELED",
        "STARTING",
        "STARTING",
    ]
    assert site.dagster_status(canceled) is None


def test_runs_start_after_dagster_has_lost_the_snapshots_of_their_version(site: Site) -> None:
    graph = site.save_graph(versioned("wiped", 1))
    daemon = site.submission
    daemon.start([site.accept(graph)])
    site.instance.wipe()
    runs = [site.accept(graph) for _ in range(2)]
    assert daemon.start(runs) == 2
    for run_id in runs:
        run = site.instance.get_run_by_id(run_id)
        assert run is not None
        assert run.job_snapshot_id is not None
        assert site.instance.get_job_snapshot(run.job_snapshot_id).name == "ada__wiped"


def test_run_that_dagster_could_not_read_fails_and_the_others_start(site: Site) -> None:
    graph = site.save_graph(versioned("unreadable", 1))
    daemon = site.submission
    daemon.start([site.accept(graph)])
    bad = site.accept(graph, tags={"__class__": "DagsterRun"})
    good = [site.accept(graph) for _ in range(2)]
    assert daemon.start([good[0], bad, good[1]]) == 2
    assert site.run(bad).status == "FAILURE"
    assert [site.dagster_status(run_id) for run_id in good] == ["STARTING"] * 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_daemon_that_dies_while_runs_start_together_leaves_none_or_all(
    site: Site, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """After the commit it dies with the launches in hand, which the next daemon repeats."""
    graph = site.save_graph(versioned("together", 1))
    daemon = site.submission
    daemon.start([site.accept(graph)])
    runs = [site.accept(graph) for _ in range(3)]
    with monkeypatch.context() as patch:
        target, name = (submission, "build") if when == "before" else (site.instance.run_launcher, "send")

        def die(*_: object) -> None:
            raise Crash

        patch.setattr(target, name, die)
        with pytest.raises(Crash):
            daemon.start(runs)
    expected = "QUEUED" if when == "before" else "STARTING"
    assert [site.run(run_id).status for run_id in runs] == [expected] * 3
    assert daemon.start(runs) == (3 if when == "before" else 0)
    assert [site.dagster_status(run_id) for run_id in runs] == ["STARTING"] * 3


def test_two_daemons_start_each_run_once(site: Site) -> None:
    graph = site.save_graph(versioned("twice", 1))
    daemons = [site.submission, site.submission]
    for daemon in daemons:
        daemon.start([site.accept(graph)])
    runs = [site.accept(graph) for _ in range(40)]
    with ThreadPoolExecutor(2) as threads:
        begun = list(threads.map(lambda daemon, ids: daemon.start(ids), daemons, (runs, runs[::-1])))
    assert sum(begun) == 40
    counted = site.fetch("SELECT count(*) FROM event_logs WHERE run_id = ANY(:ids)", ids=runs)
    assert counted[0][0] == 40


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["claim", "create", "start"])
def test_daemon_that_dies_while_submitting_leaves_nothing(
    site: Site, run_id: str, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    with monkeypatch.context() as patch:
        crash(patch, site, step, when)
        with pytest.raises(Crash):
            site.start(run_id)
    assert (site.run(run_id).status, site.dagster_status(run_id)) == ("QUEUED", None)
    assert site.start(run_id) == 1
    assert (site.run(run_id).status, site.dagster_status(run_id)) == ("STARTING", "STARTING")


def test_run_that_an_earlier_release_left_in_dagster_starts(site: Site) -> None:
    """Before they were one transaction, a daemon could die between Dagster's run and our row."""
    graph = site.save_graph(versioned("left", 1))
    run_id, job = site.accept(graph), pinned_job(graph.id, 1)
    origin = remote_origin(job.name, site.settings)
    site.instance.create_run_for_job(job, run_id=run_id, tags=job.tags, remote_job_origin=origin)
    assert site.start(run_id) == 1
    assert (site.run(run_id).status, site.dagster_status(run_id)) == ("STARTING", "STARTING")


def test_run_canceled_while_it_waits_ends_at_once_and_never_reaches_dagster(site: Site, run_id: str) -> None:
    site.cancel(run_id)
    run = site.run(run_id)
    assert run.status == "CANCELED"
    assert run.error == {"kind": "canceled", "message": "The run was canceled before it began.", "node": None}
    assert site.story(run_id) == [("run.queued", None), ("run.canceled", None)]
    assert site.start(run_id) == 0
    site.cancel_requested()
    assert site.dagster_status(run_id) is None
    assert site.story(run_id) == [("run.queued", None), ("run.canceled", None)]


def test_starting_run_that_no_worker_has_is_canceled(site: Site) -> None:
    run_id = site.launch(waiting())
    assert site.run(run_id).status == "STARTING"
    site.cancel(run_id)
    site.cancel_requested()
    site.cancel_requested()
    assert (site.run(run_id).status, site.dagster_status(run_id)) == ("CANCELED", "CANCELED")


def test_run_of_an_unreadable_version_fails_with_the_reason_and_stops_no_other(site: Site) -> None:
    broken = site.save_graph(versioned("broken", 1))
    with site.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE headrace.graph_versions SET document = '{}' WHERE graph_id = :id"), {"id": broken.id}
        )
    bad, good = site.accept(broken), site.accept(site.save_graph(versioned("sound", 1)))
    assert site.start(bad, good) == 1
    run = site.run(bad)
    assert run.status == "FAILURE"
    assert run.error is not None
    assert run.error["kind"] == "not_submittable"
    assert site.story(bad) == [("run.queued", None), ("run.failed", None)]
    assert site.dagster_status(good) == "STARTING"


def test_loss_of_the_database_while_submitting_fails_no_run(
    site: Site, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raised in place of a restart of the database at exactly this moment, which cannot be arranged."""

    def lose(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("INSERT", {}, Exception("server closed the connection unexpectedly"))

    with monkeypatch.context() as patch:
        patch.setattr(site.instance, "create_run_for_job", lose)
        with pytest.raises(sa.exc.OperationalError):
            site.start(run_id)
    assert site.run(run_id).status == "QUEUED"
    assert site.start(run_id) == 1
    assert site.dagster_status(run_id) == "STARTING"


def stored(site: Site, run_id: str) -> list[Any]:
    """All that the database holds of a run, but for its id, its parent's, and times, of which only presence is told."""
    parents = [row[0] for row in site.fetch("SELECT parent_run_id FROM headrace.runs WHERE run_id = :id", id=run_id)]
    rows = [
        dict(row._mapping)
        for query in (
            "SELECT * FROM runs WHERE run_id = :id",
            "SELECT key, value FROM run_tags WHERE run_id = :id ORDER BY id",
            "SELECT * FROM event_logs WHERE run_id = :id ORDER BY id",
            "SELECT * FROM headrace.runs WHERE run_id = :id",
            "SELECT * FROM headrace.run_events WHERE run_id = :id ORDER BY seq",
        )
        for row in site.fetch(query, id=run_id)
    ]
    unlike = {"id", "last_batch"}
    return [
        {
            key: "some time"
            if isinstance(value, datetime)
            else value
            if not isinstance(value, str)
            else re.sub(r'"timestamp": [0-9.]+', "", _without([run_id, *parents], value))
            for key, value in row.items()
            if key not in unlike
        }
        for row in rows
    ]


def _without(run_ids: Sequence[str | None], text: str) -> str:
    for run_id in run_ids:
        text = text if run_id is None else text.replace(run_id, "")
    return text


def crash(monkeypatch: pytest.MonkeyPatch, site: Site, step: str, when: str) -> None:
    """Let the daemon die before or after it claims the run, creates Dagster's, or lets both start."""
    target, name = {
        "claim": (submission, "claim"),
        "create": (site.instance, "create_run_for_job"),
        "start": (site.instance, "report_dagster_event"),
    }[step]
    original: Callable[..., Any] = getattr(target, name)

    def die(*arguments: Any, **options: Any) -> None:
        if when == "after":
            original(*arguments, **options)
        raise Crash

    monkeypatch.setattr(target, name, die)
