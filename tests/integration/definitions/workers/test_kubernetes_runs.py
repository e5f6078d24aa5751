"""Runs as Jobs, with a real database and a small API server: launching, supervision and the run pod's own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance

from definitions.daemon import waking_statement
from definitions.daemon.kubernetes_launcher import KubernetesRunLauncher
from definitions.daemon.supervision import KubernetesSupervision
from definitions.execution.context import process_context
from definitions.workers.run_pod import LET_GO
from platform_core.ending_times import EndingTimes
from platform_core.loop import Loops
from platform_core.runs.queue_store import list_due
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.site import Site
from tests.unit.definitions import pods
from tests.unit.definitions.cluster import Cluster, serving
from tests.waiting import wait_until

GRAPH: dict[str, Any] = {
    "spec_version": 1,
    "name": "in-a-pod",
    "nodes": [{"id": "one", "type": "transform", "config": {"value": "{{ 40 + 2 }}"}}],
    "outputs": {"answer": "{{ nodes.one.value }}"},
    "settings": {
        "timeout": "10m",
        "resources": {"cpu": "500m", "memory": "64Mi"},
        "kubernetes": {"node_selector": {"pool": "runs"}, "start_deadline": "1m", "network": "none"},
    },
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with serving() as (cluster, api):
        cluster.address = api._core.api_client.configuration.host  # type: ignore[attr-defined]  # the test's own note
        yield cluster


@pytest.fixture(scope="module")
def site(create_site: NewSite, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Site:
    config = tmp_path_factory.mktemp("kube") / "config"
    address = cluster.address  # type: ignore[attr-defined]  # the test's own note
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    config.write_text(json.dumps(content))
    return create_site(
        HEADRACE_LAUNCHER="kubernetes",
        HEADRACE_KUBERNETES_CONFIG_FILE=str(config),
        HEADRACE_KUBERNETES_START_PATIENCE="0.2",
        HEADRACE_KUBERNETES_ALLOWED_NODE_LABELS='["pool"]',
        HEADRACE_KUBERNETES_POD='{"container_config": {"resources": {"requests": {"cpu": "10m"}}}}',
        HEADRACE_KUBERNETES_IMAGE="headrace-run:local",
    )


@contextmanager
def supervising(site: Site) -> Iterator[KubernetesSupervision]:
    launcher = site.instance.run_launcher
    assert isinstance(launcher, KubernetesRunLauncher)
    process = process_context()
    supervision = KubernetesSupervision(site.settings, site.engine, site.instance, launcher, process.measures)
    loops = Loops()
    loops.start(*supervision.loops)
    try:
        wait_until(lambda: supervision.is_synced, "the watches are open")
        yield supervision
        assert loops.dead() == []
    finally:
        supervision.close()


def has_job(cluster: Cluster, name: str) -> bool:
    return name in cluster.names("jobs")


def job_of(cluster: Cluster, run_id: str) -> dict[str, Any]:
    return cluster.objects["jobs", f"headrace-run-{run_id}"]


def pod_of(run_id: str, pod: dict[str, Any]) -> dict[str, Any]:
    metadata = pod["metadata"]
    return {
        **pod,
        "metadata": {**metadata, "name": f"pod-{run_id}", "labels": {**metadata["labels"], "headrace/run": run_id}},
    }


def test_a_run_becomes_one_job_placed_as_its_version_says(site: Site, cluster: Cluster) -> None:
    run_id = site.launch(GRAPH)
    launcher, run = site.instance.run_launcher, site.instance.get_run_by_id(run_id)
    assert isinstance(launcher, KubernetesRunLauncher)
    assert run is not None
    assert launcher.launch(run, 0)  # as supervision does when it is not sure
    job = job_of(cluster, run_id)
    labels = job["metadata"]["labels"]
    assert {key: labels[key] for key in ("headrace/run", "headrace/graph", "headrace/version", "headrace/owner")} == {
        "headrace/run": run_id,
        "headrace/graph": "in-a-pod",
        "headrace/version": "1",
        "headrace/owner": "ada",
    }
    assert job["metadata"]["annotations"]["headrace/run"] == run_id
    spec = job["spec"]
    # 600 s of its own, 60 to start, 120 to say how it ended.
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (
        0,
        360 + 300 + EndingTimes().job,
        300,
    )
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    assert container["image"] == "headrace-run:local"
    assert container["command"] == ["headrace", "run-job", run_id]
    assert "args" not in container
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "64Mi"},
        "limits": {"cpu": "500m", "memory": "64Mi"},
    }
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert [each["configMapRef"]["name"] for each in container["envFrom"][:1]] == ["headrace-run"]
    assert pod["nodeSelector"] == {"pool": "runs"}
    assert (pod["restartPolicy"], pod["automountServiceAccountToken"]) == ("Never", False)
    assert spec["template"]["metadata"]["labels"]["headrace/network"] == "none"
    assert cluster.names("jobs").count(job["metadata"]["name"]) == 1
    cluster.remove("jobs", job["metadata"]["name"])
    site.instance.report_run_canceled(run)


def test_jobs_of_one_version_differ_in_their_run_alone(site: Site, cluster: Cluster) -> None:
    launcher = site.instance.run_launcher
    assert isinstance(launcher, KubernetesRunLauncher)
    texts = []
    for _ in range(2):
        run_id = site.launch(GRAPH)
        run = site.instance.get_run_by_id(run_id)
        assert run is not None
        name = f"headrace-run-{run_id}"
        wait_until(partial(has_job, cluster, name), "its Job is made")
        texts.append(json.dumps(job_of(cluster, run_id)["spec"]).replace(run_id, "RUN"))
        cluster.remove("jobs", name)
        site.instance.report_run_canceled(run)
    assert texts[0] == texts[1]


def test_an_image_that_cannot_be_pulled_ends_the_run_and_its_job(site: Site, cluster: Cluster) -> None:
    with supervising(site):
        run_id = site.launch(GRAPH)
        cluster.change("pods", pod_of(run_id, pods.waiting("ErrImagePull", "connection refused")))
        ended = site.wait_for_status(run_id, "FAILURE")
        wait_until(lambda: f"headrace-run-{run_id}" not in cluster.names("jobs"), "the Job is deleted")
    assert ended.error is not None
    assert (ended.error["kind"], "connection refused" in ended.error["message"]) == ("image_pull_failed", True)
    assert site.events(run_id)[-1].type == "run.failed"
    cluster.remove("pods", f"pod-{run_id}")


def test_a_run_that_the_cluster_lost_is_replaced_as_often_as_its_graph_says(site: Site, cluster: Cluster) -> None:
    settings = {"kubernetes": {"retries": 1}}
    with supervising(site):
        run_id = site.launch({**GRAPH, "name": "again", "settings": settings})
        cluster.change("pods", pod_of(run_id, pods.evicted("The node was low on resource: memory.")))
        ended = site.wait_for_status(run_id, "FAILURE")
        query = "SELECT run_id, retry_from FROM headrace.runs WHERE parent_run_id = :parent"
        wait_until(lambda: bool(site.fetch(query, parent=run_id)), "another run is accepted")
        (second, start) = site.fetch(query, parent=run_id)[0]
        assert site.start(second) == 1
        cluster.change("pods", pod_of(second, pods.evicted("The node was low on resource: memory.")))
        site.wait_for_status(second, "FAILURE")
        assert site.fetch(query, parent=second) == []
    assert ended.error is not None
    assert (ended.error["kind"], start) == ("evicted", "failure")


SLEEPER: dict[str, Any] = {
    "spec_version": 1,
    "name": "sleeper",
    "nodes": [
        {"id": "one", "type": "transform", "config": {"value": 1}},
        {"id": "nap", "type": "delay", "config": {"duration": "4s"}, "after": ["one"]},
    ],
    "outputs": {"one": "{{ nodes.one.value }}"},
}


def begun_and_killed(site: Site, document: dict[str, Any]) -> str:
    """A run whose pod's process was killed in its midst."""
    run_id = site.launch(document)
    with pod_process(site, run_id) as process:
        site.wait_for_event(run_id, "node.started", "nap", 120)
        process.kill()
    return run_id


def test_a_run_whose_pod_is_lost_goes_on_in_the_pod_of_another_job(site: Site, cluster: Cluster) -> None:
    with supervising(site):
        run_id = begun_and_killed(site, SLEEPER)
        cluster.change("pods", pod_of(run_id, pods.evicted("The node was low on resource: memory.")))
        wait_until(lambda: has_job(cluster, f"headrace-run-{run_id}-1"), "another Job is made", 30)
        assert not has_job(cluster, f"headrace-run-{run_id}")
        made = cluster.objects["jobs", f"headrace-run-{run_id}-1"]
        [container] = made["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["headrace", "run-job", run_id, "--worker", "1"]
        late = run_pod(site, run_id)  # another pod of the first Job
        assert (late.returncode, site.run(run_id).status) == (0, "RUNNING"), late.stderr
        second = run_pod(site, run_id, "--worker", "1")
    assert (second.returncode, site.run(run_id).outputs) == (0, {"one": 1}), second.stderr
    assert site.story(run_id, "node.started").count(("node.started", "one")) == 1
    assert site.fetch("SELECT generation, losses FROM headrace.runs WHERE run_id = :run", run=run_id) == [(1, 1)]


WAITER: dict[str, Any] = {
    "spec_version": 1,
    "name": "waiter",
    "nodes": [
        {"id": "one", "type": "transform", "config": {"value": 1}},
        {"id": "rest", "type": "delay", "config": {"duration": "{{ params.rest }}"}, "after": ["one"]},
        {"id": "last", "type": "transform", "config": {"value": "{{ run.status }}"}, "finally": True},
    ],
    "params": {"type": "object", "properties": {"rest": {"type": "string"}}},
    "outputs": {"one": "{{ nodes.one.value }}"},
}


def test_a_run_that_waits_has_no_pod_and_goes_on_in_that_of_another_job(
    site: Site, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_KUBERNETES_SUSPEND_OVER", "0.5")
    run_id = site.launch(WAITER, {"rest": "1s"})
    first = run_pod(site, run_id)
    assert (first.returncode, site.run(run_id).status) == (0, "WAITING"), first.stderr
    wait_until(lambda: due(site) == [run_id], "its time has come")
    assert site.submission.wake([run_id]) == 1
    wait_until(lambda: has_job(cluster, f"headrace-run-{run_id}-1"), "another Job is made", 30)
    late = run_pod(site, run_id)
    assert (late.returncode, site.run(run_id).status) == (0, "RUNNING"), late.stderr
    second = run_pod(site, run_id, "--worker", "1")
    assert (second.returncode, site.run(run_id).outputs) == (0, {"one": 1}), second.stderr
    assert site.story(run_id, "node.started").count(("node.started", "one")) == 1
    assert site.fetch("SELECT generation, losses FROM headrace.runs WHERE run_id = :run", run=run_id) == [(1, 0)]


def test_a_woken_run_whose_job_is_lost_is_given_another(
    site: Site, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_KUBERNETES_SUSPEND_OVER", "0.5")
    run_id = site.launch(WAITER, {"rest": "1s"})
    assert run_pod(site, run_id).returncode == 0
    wait_until(lambda: due(site) == [run_id], "its time has come")
    name = f"headrace-run-{run_id}-1"
    with site.engine.begin() as connection:  # as if the daemon had died before it made the Job
        connection.exec_driver_sql(*waking_statement.wake([run_id], time.time()))
    assert not has_job(cluster, name)
    with supervising(site):
        wait_until(lambda: has_job(cluster, name), "supervision makes the Job", 30)
    assert run_pod(site, run_id, "--worker", "1").returncode == 0
    assert site.run(run_id).status == "SUCCESS"


def test_a_run_that_is_canceled_while_it_waits_ends_in_a_pod_of_its_own(
    site: Site, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_KUBERNETES_SUSPEND_OVER", "0.5")
    run_id = site.launch(WAITER, {"rest": "1h"})
    assert run_pod(site, run_id).returncode == 0
    site.cancel(run_id)
    with supervising(site):
        site.cancel_requested()
        wait_until(lambda: has_job(cluster, f"headrace-run-{run_id}-1"), "another Job is made", 30)
        second = run_pod(site, run_id, "--worker", "1")
    assert (second.returncode, site.run(run_id).status) == (0, "CANCELED"), second.stderr
    assert ("node.succeeded", "last") in site.story(run_id, "node.succeeded")


def due(site: Site) -> list[str]:
    with site.engine.begin() as connection:
        return [run.run_id for run in list_due(connection, 10)]


def test_a_run_whose_graph_says_so_fails_with_its_pod(site: Site, cluster: Cluster) -> None:
    with supervising(site):
        run_id = begun_and_killed(site, {**SLEEPER, "settings": {"on_worker_loss": "fail"}})
        cluster.change("pods", pod_of(run_id, pods.evicted("The node was low on resource: memory.")))
        ended = site.wait_for_status(run_id, "FAILURE")
    assert (ended.error or {})["kind"] == "evicted"
    assert not has_job(cluster, f"headrace-run-{run_id}-1")


def test_a_pod_that_is_asked_to_end_leaves_its_run_to_another(site: Site, cluster: Cluster) -> None:
    run_id = site.launch(SLEEPER)
    with pod_process(site, run_id) as process:
        site.wait_for_event(run_id, "node.started", "nap", 120)
        process.terminate()
        assert process.wait(60) == LET_GO
    assert site.run(run_id).status == "RUNNING"
    site.cancel(run_id)
    with supervising(site):
        site.cancel_requested()
        site.wait_for_status(run_id, "CANCELED")


def test_a_canceled_run_loses_its_job_and_ends(site: Site, cluster: Cluster) -> None:
    with supervising(site):
        run_id = site.launch(GRAPH)
        site.cancel(run_id)
        site.cancel_requested()
        assert site.wait_for_status(run_id, "CANCELED").error is not None
    assert f"headrace-run-{run_id}" not in cluster.names("jobs")


def test_a_launch_while_the_api_server_is_away_is_made_up_for(site: Site, cluster: Cluster) -> None:
    cluster.away.set()
    run_id = site.launch(GRAPH)
    assert site.run(run_id).status == "STARTING"
    cluster.away.clear()
    with supervising(site):
        wait_until(lambda: f"headrace-run-{run_id}" in cluster.names("jobs"), "the Job is made")
        site.cancel(run_id)
        site.cancel_requested()
        site.wait_for_status(run_id, "CANCELED")


def test_a_refused_job_ends_its_run(site: Site, cluster: Cluster) -> None:
    cluster.refusal = (403, {"reason": "Forbidden", "message": "exceeded quota: runs"})
    try:
        run_id = site.launch(GRAPH)
        ended = site.wait_for_status(run_id, "FAILURE")
    finally:
        cluster.refusal = None
    assert ended.error is not None
    assert (ended.status, ended.error["kind"]) == ("FAILURE", "job_refused")


def test_what_a_graph_may_not_ask_for_ends_its_run(site: Site) -> None:
    wanted = {"kubernetes": {"service_account": "admin"}}
    ended = site.wait_for_status(site.launch({**GRAPH, "name": "greedy", "settings": wanted}), "FAILURE")
    assert ended.error is not None
    assert (ended.status, ended.error["kind"]) == ("FAILURE", "not_allowed")


def test_what_outlives_its_run_is_deleted_and_what_ended_is_kept(site: Site, cluster: Cluster) -> None:
    run_id = site.launch(GRAPH)
    run = site.instance.get_run_by_id(run_id)
    assert run is not None
    site.instance.report_run_failed(run)
    done = pods.job({"type": "Complete", "status": "True"})
    done["metadata"] = {**done["metadata"], "name": "done", "labels": {"headrace/run": "gone"}}
    cluster.change("jobs", done)
    stray = pods.pod("stray", role="container-node")
    cluster.change("pods", {**stray, "metadata": {**stray["metadata"], "labels": {"headrace/run": run_id}}})
    with supervising(site):
        wait_until(lambda: f"headrace-run-{run_id}" not in cluster.names("jobs"), "the Job is deleted")
        wait_until(lambda: "stray" not in cluster.names("pods"), "the pod is deleted")
    assert "done" in cluster.names("jobs")


def test_the_process_of_a_run_pod_executes_its_run_once_and_tells_what_it_says(site: Site, cluster: Cluster) -> None:
    document = {**GRAPH, "name": "spoken", "settings": {}}
    run_id = site.launch(document)
    first = run_pod(site, run_id)
    assert (first.returncode, site.run(run_id).outputs) == (0, {"answer": 42}), first.stderr
    count = len(site.events(run_id))
    second = run_pod(site, run_id)
    assert (second.returncode, len(site.events(run_id))) == (0, count), second.stderr


def run_pod(site: Site, run_id: str, *options: str) -> subprocess.CompletedProcess[str]:
    command, environment = pod_command(site, run_id, *options)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


@contextmanager
def pod_process(site: Site, run_id: str) -> Iterator[subprocess.Popen[bytes]]:
    command, environment = pod_command(site, run_id)
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def pod_command(site: Site, run_id: str, *options: str) -> tuple[list[str], dict[str, str]]:
    home = Path(site.settings.home) / "pod"
    home.mkdir(exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key != "DAGSTER_HOME"}
    environment |= {"HEADRACE_HOME": str(home), "HEADRACE_SECRET_KEY": "x" * 40, "HEADRACE_LOG_LEVEL": "info"}
    return [sys.executable, "-P", "-m", "headrace_cli", "run-job", run_id, *options], environment


def test_other_processes_than_the_daemon_only_ask(site: Site) -> None:
    from definitions.instance import instance_files

    written = json.loads((instance_files.write(site.settings, launches=False) / "dagster.yaml").read_text())
    instance_files.write(site.settings)
    assert written["run_launcher"]["class"] == "RemoteRunLauncher"
    assert isinstance(site.instance, DagsterInstance)
