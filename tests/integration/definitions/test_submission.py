"""Runs whose turn has come become Dagster runs exactly once, wherever the daemon dies; wishes to cancel reach them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from definitions.daemon import submission
from definitions.jobs import pinned_job
from definitions.shared.pinning import code_origin, remote_origin
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


def test_runs_made_after_the_example_of_the_first_are_as_dagster_makes_them(site: Site) -> None:
    """The second is copied from the first; a daemon that knows no first makes it as Dagster does."""
    graph = site.save_graph(versioned("copied", 1))
    first, copied, made = (site.accept(graph, tags={"n": str(n)}) for n in range(3))
    site.start(first, copied)
    site.start(made)
    stored = [site.instance.get_run_by_id(run_id) for run_id in (copied, made)]
    for run in stored:
        assert run is not None
        assert run.execution_plan_snapshot_id is not None
    one, other = (run._replace(run_id="", tags={**run.tags, "n": ""}) for run in stored if run is not None)
    assert one == other


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
    site.submission.cancel_requested()
    assert site.dagster_status(run_id) is None
    assert site.story(run_id) == [("run.queued", None), ("run.canceled", None)]


def test_starting_run_that_no_worker_has_is_canceled(site: Site) -> None:
    run_id = site.launch(waiting())
    assert site.run(run_id).status == "STARTING"
    site.cancel(run_id)
    site.submission.cancel_requested()
    site.submission.cancel_requested()
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
