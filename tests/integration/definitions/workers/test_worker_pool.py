"""The real pool with real workers; the tests hand it runs as the queue does."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator

import psutil
import pytest

from definitions.sandbox.interpreter import PROGRAM
from definitions.shared import addresses
from definitions.workers import run_lock
from definitions.workers.run_launcher import WarmRunLauncher
from definitions.workers.run_worker import MESSAGE, TERMINATED
from definitions.workers.worker_pool import SURPLUS_AFTER
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import document, napping, python, transform, versioned, waiting
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site
from tests.waiting import wait_until

RUNS_PER_WORKER = 2
SLEEP = "import time\ndef main():\n    print('asleep')\n    time.sleep(600)\n"

Start = Callable[[str], Service]


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_IDLE_WORKERS="1", HEADRACE_RUNS_PER_WORKER=str(RUNS_PER_WORKER))


@pytest.fixture(scope="module")
def pool(site: Site) -> Iterator[Service]:
    """A pool for the tests that leave it alive."""
    with Service("workers.worker_pool") as pool:
        pool.wait_for_workers()
        yield pool


def test_workers_are_reused_and_replaced_after_their_share(site: Site, pool: Service) -> None:
    run_ids = []
    for _ in range(3 * RUNS_PER_WORKER):
        run_ids.append(site.launch(versioned("quick", 1)))
        site.wait_for_status(run_ids[-1], "SUCCESS")
    shares = Counter(pid for run_id in run_ids for pid in site.workers_of(run_id))
    assert sum(shares.values()) == len(run_ids)
    assert max(shares.values()) == RUNS_PER_WORKER
    spent = {pid for pid, share in shares.items() if share == RUNS_PER_WORKER}
    wait_until(lambda: spent.isdisjoint(pool.children()), "spent workers are gone")


def test_worker_that_a_run_has_made_large_is_replaced_at_once(site: Site, pool: Service) -> None:
    nodes = [transform(f"large_{number}", "{{ 'x' * 900000 }}") for number in range(100)]
    run_id = site.launch(document("large", *nodes))
    site.wait_for_status(run_id, "SUCCESS")
    [worker] = site.workers_of(run_id)
    wait_until(lambda: worker not in pool.children(), "the large worker is gone")


def test_run_launched_three_times_is_executed_once(site: Site, pool: Service) -> None:
    run_id = site.launch(napping(), {"seconds": 0.5})
    assert launcher(site).send(run_id)
    site.wait_for_status(run_id, "SUCCESS")
    assert launcher(site).send(run_id)
    site.wait_for_status(site.launch(versioned("after", 1)), "SUCCESS")
    assert len(site.workers_of(run_id)) == 1
    assert site.story(run_id, "run.started", "node.started") == [("run.started", None), ("node.started", "nap")]


@pytest.mark.parametrize(
    ("graph", "sign"),
    [(waiting(), ("node.started", "nap")), (document("sleeping", python("nap", SLEEP)), ("stdout", "nap"))],
    ids=["delay", "python"],
)
def test_running_run_is_canceled(site: Site, pool: Service, graph: dict[str, object], sign: tuple[str, str]) -> None:
    run_id = site.launch(graph)
    site.wait_for_event(run_id, *sign)
    site.cancel(run_id)
    site.cancel_requested()
    run = site.wait_for_status(run_id, "CANCELED")
    assert run.outputs is None
    assert run.error == {"kind": "canceled", "message": "The run was canceled.", "node": None}
    assert site.dagster_status(run_id) == "CANCELED"
    assert site.story(run_id)[-1] == ("run.canceled", None)
    assert site.story(run_id, "node.succeeded", "run.succeeded") == []


def test_run_canceled_while_starting_is_never_executed(
    site: Site, pool: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = site.accept(site.save_graph(waiting()))
    with monkeypatch.context() as patch:
        patch.setattr(launcher(site), "launch_run", lambda _: None)  # the launch gets lost
        site.start(run_id)
    assert site.run(run_id).status == "STARTING"
    site.cancel(run_id)
    site.cancel_requested()
    assert site.run(run_id).status == "CANCELED"
    assert launcher(site).send(run_id)
    site.wait_for_status(site.launch(versioned("after", 1)), "SUCCESS")
    assert site.workers_of(run_id) == []
    assert site.story(run_id) == [("run.queued", None), ("run.canceled", None)]


def test_killed_worker_fails_its_run_with_the_reason(site: Site, pool: Service) -> None:
    run_id = site.launch(waiting() | {"settings": {"on_worker_loss": "fail"}})
    site.wait_for_event(run_id, "node.started", "nap")
    os.kill(worker_of(site, run_id), signal.SIGKILL)
    run = site.wait_for_status(run_id, "FAILURE")
    assert run.error == {
        "kind": "run_failed",
        "message": "The run worker was killed by SIGKILL.",
        "node": None,
    }
    assert site.dagster_status(run_id) == "FAILURE"
    assert site.story(run_id)[-1] == ("run.failed", None)
    site.wait_for_status(site.launch(versioned("after", 1)), "SUCCESS")


def test_killed_idle_worker_is_replaced(site: Site, pool: Service) -> None:
    before = wait_until(pool.children, "a worker is idle")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pool.children() and set(before).isdisjoint(pool.children()), "a new worker is idle")
    site.wait_for_status(site.launch(versioned("after", 1)), "SUCCESS")


def test_runs_beyond_the_idle_workers_run_at_once(site: Site, pool: Service) -> None:
    run_ids = [site.launch(waiting()) for _ in range(4)]
    for run_id in run_ids:
        site.wait_for_event(run_id, "node.started", "nap")
    assert len({worker_of(site, run_id) for run_id in run_ids}) == 4
    for run_id in run_ids:
        site.cancel(run_id)
    site.cancel_requested()
    for run_id in run_ids:
        site.wait_for_status(run_id, "CANCELED")


def test_workers_that_a_time_of_many_runs_has_left_end(site: Site, pool: Service) -> None:
    run_ids = [site.launch(napping(), {"seconds": 1}) for _ in range(4)]
    for run_id in run_ids:
        site.wait_for_event(run_id, "node.started", "nap")
    assert len(workers_in(pool)) > site.settings.idle_workers
    for run_id in run_ids:
        site.wait_for_status(run_id, "SUCCESS")
    kept = site.settings.idle_workers
    wait_until(lambda: len(workers_in(pool)) == kept, "the surplus is gone", SURPLUS_AFTER + 30)
    site.wait_for_status(site.launch(versioned("after", 1)), "SUCCESS")


def test_workers_share_one_interpreter_and_each_survives_its_death(site: Site, pool: Service) -> None:
    graph = document("sharing", python("nap", "import time\ndef main():\n    print('here')\n    time.sleep(1)\n"))
    run_ids = [site.launch(graph) for _ in range(3)]
    for run_id in run_ids:
        site.wait_for_event(run_id, "stdout", "nap")
    [interpreter] = interpreters_of(pool)
    for run_id in run_ids:
        site.wait_for_status(run_id, "SUCCESS")
    os.kill(interpreter, signal.SIGKILL)
    for run_id in [site.launch(graph) for _ in range(4)]:
        site.wait_for_status(run_id, "SUCCESS")


class TestPoolThatEnds:
    @pytest.fixture(autouse=True)
    def _alone(self, site: Site, request: pytest.FixtureRequest) -> None:
        """The module's pool is not used any more."""
        pool: Service = request.getfixturevalue("pool")
        pool.close()

    def test_killed_pool_leaves_its_run_to_succeed_and_its_successor_takes_new_ones(
        self, site: Site, start: Start
    ) -> None:
        pool = start("workers.worker_pool")
        pool.wait_for_workers()
        run_id = site.launch(napping(), {"seconds": 2})
        site.wait_for_event(run_id, "node.started", "nap")
        worker = psutil.Process(worker_of(site, run_id))
        workers = [psutil.Process(pid) for pid in pool.children()]
        pool.kill()
        start("workers.worker_pool")
        after = site.launch(versioned("after", 1))
        assert site.wait_for_status(run_id, "SUCCESS").outputs == {"done": True}
        assert site.workers_of(run_id) == [worker.pid]
        wait_until(lambda: not any(alive(process) for process in workers), "the old workers are gone")
        wait_until(lambda: launcher(site).send(after), "the new pool takes launches", 60)
        site.wait_for_status(after, "SUCCESS")

    def test_terminated_pool_leaves_no_process(self, site: Site, start: Start) -> None:
        pool = start("workers.worker_pool")
        pool.wait_for_workers()
        run_id = site.launch(document("sleeping", python("nap", SLEEP), settings={"on_worker_loss": "fail"}))
        site.wait_for_event(run_id, "stdout", "nap")
        family = psutil.Process(pool.pid).children(recursive=True)
        assert len(family) >= 3
        assert pool.stop() == 0
        wait_until(lambda: not any(alive(process) for process in family), "all its processes are gone")
        run = site.run(run_id)
        assert (run.status, run.error) == ("FAILURE", {"kind": TERMINATED, "message": MESSAGE, "node": None})

    def test_run_of_a_terminated_pool_goes_on_in_the_next(self, site: Site, start: Start) -> None:
        pool = start("workers.worker_pool")
        pool.wait_for_workers()
        run_id = site.launch(napping(), {"seconds": 3})
        site.wait_for_event(run_id, "node.started", "nap")
        assert pool.stop() == 0
        assert site.run(run_id).status == "RUNNING"
        start("workers.worker_pool").wait_for_workers()
        assert launcher(site).resume(run_id)
        assert site.wait_for_status(run_id, "SUCCESS").outputs == {"done": True}
        assert len(set(site.workers_of(run_id))) == 2


def workers_in(pool: Service) -> list[int]:
    return [pid for pid in pool.children() if pid not in interpreters_of(pool)]


def interpreters_of(pool: Service) -> list[int]:
    """The warm interpreters of users' code that are the pool's own."""
    return [pid for pid in pool.children() if str(PROGRAM) in _command_line(pid)]


def _command_line(pid: int) -> list[str]:
    """What the process was started with; nothing once it has ended."""
    try:
        return psutil.Process(pid).cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def launcher(site: Site) -> WarmRunLauncher:
    launcher = site.instance.run_launcher
    assert isinstance(launcher, WarmRunLauncher)
    return launcher


def worker_of(site: Site, run_id: str) -> int:
    """The process that executes the run now."""
    folder = addresses.run_folder(site.settings.home)
    return wait_until(lambda: run_lock.worker_of(folder, run_id) or 0, f"a worker holds {run_id}")


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
