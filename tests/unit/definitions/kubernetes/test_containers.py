"""Container nodes as pods: made, followed and deleted, whatever happens to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from definitions.kubernetes.containers import CONTAINER, ContainerPods
from definitions.kubernetes.job import RunPlace
from graph_compiler.nodes.runtime import ContainerTask
from graph_compiler.values.errors import NodeError
from platform_core.settings import Settings
from tests.unit.definitions.cluster import Cluster, serving, until

PLACE = RunPlace("5f0c7f3e-6c0a-4b57-9f5e-0d9f6d1f2a11", "g", "graph-id", 1, "ada", True)
TASK = ContainerTask("team/train:3", ["train"], {"TOKEN": "t"}, "1", "64Mi")
SETTINGS = Settings(
    launcher="kubernetes",
    kubernetes_allowed_images=["team/*"],
    kubernetes_max_cpu="2",
    kubernetes_start_patience=0.1,
    pod_name="run-pod",
    pod_uid="uid-of-run-pod",
)


class Call:
    """One call of `run` in a thread, and what became of it."""

    def __init__(self, pods: ContainerPods, timeout: float | None = None) -> None:
        self.lines: list[tuple[str, str]] = []
        self.result: Any = None
        self.error: NodeError | None = None
        self._thread = threading.Thread(target=self._run, args=(pods, timeout))
        self._thread.start()

    def _run(self, pods: ContainerPods, timeout: float | None) -> None:
        try:
            self.result = pods.run(
                TASK, timeout=timeout, on_line=lambda stream, text: self.lines.append((stream, text))
            )
        except NodeError as error:
            self.error = error

    def wait(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()


@contextmanager
def containers() -> Iterator[tuple[Cluster, ContainerPods]]:
    with serving() as (cluster, api):
        yield cluster, ContainerPods(SETTINGS, PLACE, api)


def made(cluster: Cluster) -> dict[str, Any]:
    until(lambda: cluster.names("pods"))
    return cluster.objects["pods", cluster.names("pods")[0]]


def become(cluster: Cluster, phase: str, **state: Any) -> None:
    status = {"phase": phase, "containerStatuses": [{"name": CONTAINER, "image": "x", "state": state}]}
    cluster.change("pods", {**made(cluster), "status": status})


def test_a_container_is_followed_to_its_result_and_its_pod_deleted() -> None:
    with containers() as (cluster, pods):
        call = Call(pods)
        pod = made(cluster)
        cluster.logs[pod["metadata"]["name"]] = [
            b"2026-11-23T10:00:00.000000001Z one\n",
            b"2026-11-23T10:00:00.000000002Z two words\n",
        ]
        become(cluster, "Pending", waiting={"reason": "ContainerCreating"})
        become(cluster, "Running", running={})
        become(cluster, "Succeeded", terminated={"exitCode": 0, "message": '{"n": 7}'})
        call.wait()
        assert (call.error, call.result) == (None, {"n": 7})
        assert call.lines == [("stdout", "one"), ("stdout", "two words")]
        assert cluster.names("pods") == []
    spec = pod["spec"]
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"]) == ("Never", False)
    assert pod["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Pod", "name": "run-pod", "uid": "uid-of-run-pod"}
    ]
    assert spec["containers"][0]["resources"]["limits"] == {"cpu": "1", "memory": "64Mi"}


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ({"exitCode": 3, "reason": "Error"}, "container_failed"),
        ({"exitCode": 137, "reason": "OOMKilled"}, "container_memory"),
        ({"exitCode": 137, "reason": "Error"}, "container_lost"),
        ({"exitCode": 0, "message": "no json"}, "bad_value"),
    ],
)
def test_how_a_container_ended_is_the_nodes_error(state: dict[str, Any], kind: str) -> None:
    with containers() as (cluster, pods):
        call = Call(pods)
        become(cluster, "Failed" if state["exitCode"] else "Succeeded", terminated=state)
        call.wait()
        assert call.error is not None
        assert call.error.kind == kind
        assert cluster.names("pods") == []


def test_an_image_that_cannot_be_pulled_fails_the_node() -> None:
    with containers() as (cluster, pods):
        call = Call(pods)
        become(cluster, "Pending", waiting={"reason": "ErrImagePull", "message": "connection refused"})
        call.wait()
        assert call.error is not None
        assert (call.error.kind, "connection refused" in call.error.message) == ("container_start_failed", True)


@pytest.mark.parametrize(("timeout", "kind"), [(0.5, "container_timeout"), (None, "canceled")])
def test_a_container_is_ended(timeout: float | None, kind: str) -> None:
    with containers() as (cluster, pods):
        call = Call(pods, timeout)
        become(cluster, "Running", running={})
        if timeout is None:
            pods.cancel_all()
        call.wait()
        assert call.error is not None
        assert call.error.kind == kind
        assert cluster.names("pods") == []


def test_an_image_that_is_not_allowed_makes_no_pod() -> None:
    with serving() as (cluster, api):
        pods = ContainerPods(SETTINGS.model_copy(update={"kubernetes_allowed_images": []}), PLACE, api)
        call = Call(pods)
        call.wait()
        assert call.error is not None
        assert (call.error.kind, cluster.requests) == ("container_refused", [])
