"""Faults in a real cluster: every run ends in the right state with a reason, once, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from tests.kubernetes import graphs
from tests.kubernetes.installation import SERVICES, Installation, kubectl, objects
from tests.waiting import wait_until

pytestmark = pytest.mark.kubernetes
IN_FLIGHT = 20


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left(installation: Installation) -> Iterator[None]:
    yield
    installation.wait_all_gone()


def begun(installation: Installation, name: str, seconds: int = 600, **settings: str) -> tuple[str, str]:
    """A run at work, and the name of its pod."""
    installation.save(graphs.slow(name, seconds, **settings))
    run_id = installation.run(name)
    installation.wait_status(run_id, "RUNNING")
    [pod] = objects("pods", selector=f"headrace/run={run_id}")
    return run_id, pod["metadata"]["name"]


def failed(installation: Installation, run_id: str, *kinds: str, deadline: float = 60.0) -> None:
    ended = installation.wait_ended(run_id, deadline)
    assert (ended["status"], ended["error"]["kind"] in kinds) == ("FAILURE", True), ended["error"]
    last = installation.events(run_id)[-1]
    assert (last["type"], last["final"]) == ("run.failed", True)
    installation.leaves_nothing(run_id)


def test_a_run_whose_pod_is_deleted_fails_with_that_reason_if_its_graph_says_so(installation: Installation) -> None:
    run_id, pod = begun(installation, "deleted", on_worker_loss="fail")
    kubectl("-n", "headrace-runs", "delete", "pod", pod, "--wait=false")
    failed(installation, run_id, "pod_terminated", "pod_deleted")


def test_a_run_whose_process_is_killed_fails_within_seconds_if_its_graph_says_so(installation: Installation) -> None:
    run_id, _ = begun(installation, "killed", on_worker_loss="fail")
    kill_process(run_id)
    failed(installation, run_id, "pod_killed", deadline=15)


def test_a_run_whose_pod_is_deleted_goes_on_in_another(installation: Installation) -> None:
    run_id, pod = begun(installation, "moved", 10)
    kubectl("-n", "headrace-runs", "delete", "pod", pod, "--wait=false")
    went_on(installation, run_id)


def test_a_run_whose_process_is_killed_goes_on_in_another_pod(
    installation: Installation, figure: Callable[[str], None]
) -> None:
    run_id, _ = begun(installation, "survives", 10)
    killed = time.time()
    kill_process(run_id)
    resumed = went_on(installation, run_id)
    figure(f"another pod went on {resumed - killed:.1f} s after the process was killed")


def went_on(installation: Installation, run_id: str) -> float:
    """The run ends well, and only once, in a pod that is not its first; when that took it over (Unix time)."""
    assert installation.wait_ended(run_id, 120)["status"] == "SUCCESS"
    events = installation.events(run_id)
    types = [event["type"] for event in events]
    assert (types.count("run.resumed"), types.count("node.succeeded"), types[-1]) == (1, 1, "run.succeeded")
    installation.leaves_nothing(run_id)
    return datetime.fromisoformat(events[types.index("run.resumed")]["ts"]).timestamp()


def kill_process(run_id: str) -> None:
    """SIGKILL to the process of the run's pod, from outside of it: the first process of a pod is deaf to it within."""
    pids = [process.pid for process in psutil.process_iter(["cmdline"]) if _executes(process, run_id)]
    if not pids:
        pytest.skip("pods do not run on this machine")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def _executes(process: psutil.Process, run_id: str) -> bool:
    return (process.info["cmdline"] or [])[-2:] == ["run-job", run_id]


def test_a_run_that_takes_too_much_memory_fails_with_that_reason(installation: Installation) -> None:
    installation.save(graphs.greedy("greedy"))
    run_id = installation.run("greedy")
    ended = installation.wait_ended(run_id)
    assert (ended["status"], ended["error"]["kind"]) == ("FAILURE", "code_memory") or ended["error"][
        "kind"
    ] == "out_of_memory"
    installation.leaves_nothing(run_id)


def test_a_run_whose_image_does_not_exist_fails_without_waiting_for_it(
    installation: Installation, figure: Callable[[str], None]
) -> None:
    installation.save(graphs.quick("bad-image", kubernetes={"image": "headrace-none:local"}))
    began = time.monotonic()
    failed(installation, installation.run("bad-image"), "image_pull_failed", deadline=30)
    figure(f"a bad image was reported {time.monotonic() - began:.1f} s after the POST")


def test_a_run_that_asks_for_more_than_any_node_has_fails_as_unschedulable(installation: Installation) -> None:
    installation.save(graphs.quick("impossible", resources={"cpu": "4", "memory": "16Gi"}))
    failed(installation, installation.run("impossible"), "unschedulable", deadline=30)


@contextmanager
def cordoned() -> Iterator[None]:
    nodes = kubectl("get", "nodes", "-o", "name").split()
    for node in nodes:
        kubectl("cordon", node)
    try:
        yield
    finally:
        for node in nodes:
            kubectl("uncordon", node)


def test_a_run_that_no_node_takes_fails_as_unschedulable(installation: Installation) -> None:
    installation.save(graphs.quick("cordoned"))
    with cordoned():
        failed(installation, installation.run("cordoned"), "unschedulable", deadline=30)


@contextmanager
def stopped(component: str) -> Iterator[None]:
    """A program of the test cluster, stopped for a while; only where `kube-up` started it on this machine."""
    noted = Path(os.environ.get("KUBE_HOME", "/tmp/kube")) / "run" / "pid" / component
    if not noted.exists():
        pytest.skip(f"{component} was not started by kube-up on this machine")
    pid = int(noted.read_text().split()[0])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_run_outlives_a_kubelet_that_is_away_for_a_minute(installation: Installation) -> None:
    installation.save(graphs.slow("patient", 75))
    run_id = installation.run("patient")
    installation.wait_status(run_id, "RUNNING")
    with stopped("kubelet"):
        time.sleep(60)
    assert installation.wait_ended(run_id, 240)["status"] == "SUCCESS"
    wait_until(_is_ready, "the node is ready again", 60)
    installation.leaves_nothing(run_id)


def _is_ready() -> bool:
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    return all(
        condition["status"] == "True"
        for node in nodes
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    )


def kill(component: str) -> None:
    kubectl(
        "-n", SERVICES, "delete", "pod", "-l", f"app.kubernetes.io/component={component}", "--grace-period=0", "--force"
    )


def test_runs_in_flight_outlive_the_death_of_every_service(installation: Installation) -> None:
    def kill_all() -> None:
        for component in ("daemon", "code-server", "trigger-api", "stream-api"):
            kill(component)

    in_flight(installation, "through-services", kill_all)


def test_runs_in_flight_outlive_the_absence_of_database_and_api_server(installation: Installation) -> None:
    def away() -> None:
        # Its data lives as long as its pod; the container is started again in it.
        kubectl("-n", SERVICES, "exec", "statefulset/headrace-postgres", "--", "sh", "-c", "kill -QUIT 1")
        with stopped("kube-apiserver"):
            time.sleep(10)

    in_flight(installation, "through-outages", away)


def in_flight(installation: Installation, name: str, fault: Callable[[], None]) -> None:
    """Twenty runs, some running and some waiting, survive the fault: each ends well, and executed its node once."""
    installation.save(graphs.slow(name, 5))
    keys = [str(uuid.uuid4()) for _ in range(IN_FLIGHT)]
    run_ids = [installation.run(name, key=key) for key in keys]
    wait_until(
        lambda: any(installation.state(run_id)["status"] == "RUNNING" for run_id in run_ids), "a run is at work", 120
    )
    fault()
    for run_id in run_ids:
        ended = installation.wait_ended(run_id, 600)
        assert ended["status"] == "SUCCESS", ended["error"]
        started = [event for event in installation.events(run_id) if event["type"] == "node.started"]
        assert len(started) == 1
    assert [installation.run(name, key=key) for key in keys] == run_ids
    installation.leaves_nothing(*run_ids)
