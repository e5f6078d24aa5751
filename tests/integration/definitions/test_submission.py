"""Accepted runs become Dagster runs exactly once, wherever the daemon dies; wishes to cancel reach them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from definitions import submission
from definitions.pinning import code_origin
from platform_core.errors import Unavailable
from tests.integration.definitions.documents import versioned, waiting
from tests.integration.definitions.site import Site


class Crash(BaseException):
    """The daemon dies here; not an Exception, so that nothing handles it."""


@pytest.fixture
def run_id(site: Site) -> str:
    return site.accept(site.save_graph(versioned("submitted", 1)), tags={"team": "mill"}, priority=7)


def test_accepted_run_is_queued_in_dagster_with_its_pin_and_tags(site: Site, run_id: str) -> None:
    assert site.submission.submit_accepted() == 1
    run = site.instance.get_run_by_id(run_id)
    assert run is not None
    graph_id = site.run(run_id).graph_id
    assert (run.status.value, run.job_name) == ("QUEUED", "ada__submitted")
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
    assert site.submission.submit_accepted() == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["create", "enqueue", "mark"])
def test_daemon_that_dies_while_submitting_is_continued(
    site: Site, run_id: str, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    crash(monkeypatch, site, step, when)
    with pytest.raises(Crash):
        site.submission.submit_accepted()
    monkeypatch.undo()
    site.submission.submit_accepted()
    assert (site.run(run_id).status, site.dagster_status(run_id)) == ("QUEUED", "QUEUED")
    assert site.fetch("SELECT status FROM public.runs WHERE run_id = :run", run=run_id) == [("QUEUED",)]
    assert site.submission.submit_accepted() == 0


@pytest.mark.parametrize("step", ["create", "enqueue"])
def test_run_canceled_after_a_daemon_died_while_submitting_it_never_runs(
    site: Site, run_id: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    crash(monkeypatch, site, step, "after")
    with pytest.raises(Crash):
        site.submission.submit_accepted()
    monkeypatch.undo()
    site.cancel(run_id)
    site.submission.cancel_requested()
    site.submission.submit_accepted()
    assert (site.run(run_id).status, site.dagster_status(run_id)) == ("CANCELED", "CANCELED")


def test_run_canceled_before_it_is_submitted_never_reaches_dagster(site: Site, run_id: str) -> None:
    site.cancel(run_id)
    assert site.submission.submit_accepted() == 0
    site.submission.cancel_requested()
    run = site.run(run_id)
    assert run.status == "CANCELED"
    assert run.error == {"kind": "canceled", "message": "The run was canceled before it began.", "node": None}
    assert site.dagster_status(run_id) is None
    assert site.story(run_id) == [("run.queued", None), ("run.canceled", None)]


def test_queued_run_is_canceled(site: Site, run_id: str) -> None:
    site.submission.submit_accepted()
    site.cancel(run_id)
    site.submission.cancel_requested()
    site.submission.cancel_requested()
    assert (site.run(run_id).status, site.dagster_status(run_id)) == ("CANCELED", "CANCELED")
    assert site.story(run_id) == [("run.queued", None), ("run.canceled", None)]


def test_starting_run_that_no_worker_has_is_canceled(site: Site) -> None:
    run_id = site.launch(waiting())
    assert site.run(run_id).status == "STARTING"
    site.cancel(run_id)
    site.submission.cancel_requested()
    assert (site.run(run_id).status, site.dagster_status(run_id)) == ("CANCELED", "CANCELED")


def test_run_of_an_unreadable_version_fails_with_the_reason_and_stops_no_other(site: Site) -> None:
    broken = site.save_graph(versioned("broken", 1))
    with site.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE headrace.graph_versions SET document = '{}' WHERE graph_id = :id"), {"id": broken.id}
        )
    bad, good = site.accept(broken), site.accept(site.save_graph(versioned("sound", 1)))
    assert site.submission.submit_accepted() == 2
    run = site.run(bad)
    assert run.status == "FAILURE"
    assert run.error is not None
    assert run.error["kind"] == "not_submittable"
    assert site.story(bad) == [("run.queued", None), ("run.failed", None)]
    assert site.dagster_status(good) == "QUEUED"


def test_loss_of_the_database_while_submitting_fails_no_run(
    site: Site, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raised in place of a restart of the database at exactly this moment, which cannot be arranged."""

    def lose(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("INSERT", {}, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(site.instance, "create_run_for_job", lose)
    with pytest.raises(Unavailable):
        site.submission.submit_accepted()
    monkeypatch.undo()
    assert site.run(run_id).status == "QUEUED"
    site.submission.submit_accepted()
    assert site.dagster_status(run_id) == "QUEUED"


def test_run_that_another_daemon_just_created_is_not_failed(
    site: Site, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former leader may still be submitting; it creates the run between our look and our own creation."""
    create = site.instance.create_run_for_job

    def create_twice(*arguments: Any, **options: Any) -> Any:
        create(*arguments, **options)
        return create(*arguments, **options)

    monkeypatch.setattr(site.instance, "create_run_for_job", create_twice)
    site.submission.submit_accepted()
    assert (site.run(run_id).status, site.dagster_status(run_id)) == ("QUEUED", "QUEUED")
    assert site.submission.submit_accepted() == 0


def test_oldest_runs_are_submitted_first_in_batches(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "BATCH", 3)
    graph = site.save_graph(versioned("many", 1))
    run_ids = [site.accept(graph) for _ in range(5)]
    assert site.submission.submit_accepted() == 3
    assert [site.dagster_status(run_id) for run_id in run_ids] == ["QUEUED"] * 3 + [None] * 2
    assert site.submission.submit_accepted() == 2


def crash(monkeypatch: pytest.MonkeyPatch, site: Site, step: str, when: str) -> None:
    """Let the daemon die before or after it creates the Dagster run, enqueues it, or marks ours as submitted."""
    target, name = {
        "create": (site.instance, "create_run_for_job"),
        "enqueue": (site.instance.run_coordinator, "submit_run"),
        "mark": (submission, "mark_submitted"),
    }[step]
    original: Callable[..., Any] = getattr(target, name)

    def die(*arguments: Any, **options: Any) -> None:
        if when == "after":
            original(*arguments, **options)
        raise Crash

    monkeypatch.setattr(target, name, die)
