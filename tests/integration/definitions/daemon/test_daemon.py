"""The real daemon and the real worker pool, killed at the worst moments."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from definitions.execution.graph_jobs import pinned_job
from definitions.shared.pinning import remote_origin
from platform_core.audit.audit_store import record
from platform_core.audit.entry import SYSTEM, Action, Target, TargetKind
from platform_core.facts.run_status import ENDED
from platform_core.identity.user_store import create_user
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import versioned, waiting
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site
from tests.waiting import wait_until

RECOVERY = 60.0

Start = Callable[[str], Service]


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_IDLE_WORKERS="1", HEADRACE_MAX_CONCURRENT_RUNS="4")


@pytest.fixture(scope="module", autouse=True)
def _code_location(site: Site) -> Iterator[None]:
    """Daemons wait for it when they start."""
    with Service("location.code_location"):
        yield


@pytest.fixture(scope="module")
def pool(site: Site) -> Iterator[Service]:
    with Service("workers.worker_pool") as pool:
        pool.wait_for_workers()
        yield pool


@pytest.fixture(scope="module")
def daemon(site: Site, pool: Service) -> Iterator[Service]:
    """A daemon for the tests that leave it alive."""
    with Service("daemon.daemon") as daemon:
        yield daemon


def test_accepted_runs_are_executed_once_each(site: Site, daemon: Service) -> None:
    graph = site.save_graph(versioned("accepted", 1))
    run_ids = [site.accept(graph) for _ in range(6)]
    for run_id in run_ids:
        assert site.wait_for_status(run_id, *ENDED, deadline=RECOVERY).outputs == {"version": 1}
    assert [len(site.workers_of(run_id)) for run_id in run_ids] == [1] * 6


def test_the_audit_log_is_sealed(site: Site, daemon: Service) -> None:
    with site.engine.begin() as connection:
        record(connection, SYSTEM, Action.SECRET_SET, Target(TargetKind.SECRET, name="oak"))
    unsealed = "SELECT FROM headrace.audit WHERE hash IS NULL"
    wait_until(lambda: not site.fetch(unsealed), "the row has its place in the chain", RECOVERY)


def test_queued_run_executes_its_own_version(site: Site, daemon: Service) -> None:
    """The run waits after as many runs as may be executed at once."""
    blockers = [site.accept(site.save_graph(waiting())) for _ in range(site.settings.max_concurrent_runs)]
    for run_id in blockers:
        site.wait_for_event(run_id, "node.started", "nap")
    queued = site.accept(site.save_graph(versioned("moving", 1)))
    site.save_graph(versioned("moving", 2))
    assert site.run(queued).status == "QUEUED"
    for run_id in blockers:
        site.cancel(run_id)
    assert site.wait_for_status(queued, *ENDED).outputs == {"version": 1}
    for run_id in blockers:
        site.wait_for_status(run_id, "CANCELED")


def test_graphs_own_limit_holds_its_runs_and_no_others(site: Site, daemon: Service) -> None:
    limited = site.save_graph({**waiting("one-at-a-time"), "settings": {"max_concurrent_runs": 1}})
    first, second = site.accept(limited), site.accept(limited)
    site.wait_for_event(first, "node.started", "nap")
    other = site.accept(site.save_graph(versioned("unlimited", 1)))
    site.wait_for_status(other, "SUCCESS")
    assert site.run(second).status == "QUEUED"
    site.cancel(first)
    site.wait_for_event(second, "node.started", "nap")
    assert site.run(first).status == "CANCELED"
    site.cancel(second)
    site.wait_for_status(second, "CANCELED")


def test_run_of_dagsters_ui_is_executed(site: Site, daemon: Service) -> None:
    graph = site.save_graph(versioned("ui", 1))
    job = pinned_job(graph.id, 1)
    origin = remote_origin(job.name, site.settings)
    run_id = site.instance.create_run_for_job(job, tags=job.tags, remote_job_origin=origin).run_id
    site.instance.submit_run(run_id, None)  # type: ignore[arg-type]  # the queue does not read it
    assert site.wait_for_status(run_id, *ENDED, deadline=RECOVERY).outputs == {"version": 1}


def test_another_owners_run_passes_those_of_an_owner_with_many(site: Site, daemon: Service) -> None:
    blockers = [site.accept(site.save_graph(waiting())) for _ in range(site.settings.max_concurrent_runs)]
    for run_id in blockers:
        site.wait_for_event(run_id, "node.started", "nap")
    many = [site.accept(site.save_graph(waiting("many"))) for _ in range(5)]
    with site.engine.begin() as connection:
        eve = create_user(connection, "eve", "correct horse", "editor").id
        connection.execute(
            sa.text("UPDATE headrace.runs SET owner_id = :eve WHERE run_id = :id"), {"eve": eve, "id": many[-1]}
        )
    site.cancel(blockers[0])
    site.wait_for_event(many[-1], "node.started", "nap")
    assert [site.run(run_id).status for run_id in many[:-1]] == ["QUEUED"] * 4
    for run_id in (*many, *blockers[1:]):
        site.cancel(run_id)
    for run_id in (*many, *blockers):
        site.wait_for_status(run_id, "CANCELED")


class TestDaemonThatDies:
    @pytest.fixture(autouse=True)
    def _alone(self, site: Site, request: pytest.FixtureRequest) -> None:
        """The module's daemon is not used any more."""
        service: Service = request.getfixturevalue("daemon")
        service.close()

    def test_waiting_daemon_takes_over_and_executes_once_what_the_dead_one_had_accepted(
        self, site: Site, pool: Service, start: Start
    ) -> None:
        """The first dies before it submits three runs, while another is executed."""
        first = start("daemon.daemon")
        running = site.accept(site.save_graph(waiting()))
        site.wait_for_event(running, "node.started", "nap", RECOVERY)
        second = start("daemon.daemon")
        wait_until(lambda: "Another daemon leads" in second.log(), "the second waits", RECOVERY)
        assert "Another daemon leads" not in first.log()
        first.pause()
        accepted = [site.accept(site.save_graph(versioned("orphan", 1))) for _ in range(3)]
        first.kill()
        assert [site.dagster_status(run_id) for run_id in accepted] == [None] * 3
        for run_id in accepted:
            assert site.wait_for_status(run_id, *ENDED, deadline=RECOVERY).status == "SUCCESS"
        assert site.run(running).status == "RUNNING"
        site.cancel(running)
        site.wait_for_status(running, "CANCELED")
        assert [len(site.workers_of(run_id)) for run_id in (running, *accepted)] == [1] * 4
        assert second.stop() == 0

    def test_launch_that_got_lost_is_repeated_by_the_next_daemon(
        self, site: Site, start: Start, request: pytest.FixtureRequest
    ) -> None:
        """The pool was away when the daemon launched, and the daemon died: STARTING, and nobody knows of it."""
        pool: Service = request.getfixturevalue("pool")
        pool.close()
        daemon = start("daemon.daemon")
        run_id = site.accept(site.save_graph(versioned("lost", 1)))
        site.wait_for_status(run_id, "STARTING", deadline=RECOVERY)
        daemon.kill()
        start("workers.worker_pool").wait_for_workers()
        start("daemon.daemon")
        site.wait_for_status(run_id, "SUCCESS", deadline=RECOVERY)
        assert len(site.workers_of(run_id)) == 1
