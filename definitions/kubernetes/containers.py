"""`container` nodes as pods of their own, made, followed and deleted by the run's pod, which owns them.

What the container writes to stdout and stderr comes as lines while it runs; the API server does not tell them apart.
The node's result is the JSON that the container leaves in `RESULT_PATH`, 4096 bytes at most (the kubelet's limit).
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from urllib3.exceptions import HTTPError

from definitions.kubernetes import job as jobs
from definitions.kubernetes import reasons
from definitions.kubernetes.api import ClusterAway, ClusterError, Json, KubernetesApi, cut
from definitions.kubernetes.job import RunPlace
from definitions.kubernetes.watch import lines_of
from graph_compiler.nodes.runtime import ContainerTask, OnLine
from graph_compiler.values.errors import NodeError
from platform_core.settings import Settings

T = TypeVar("T")

RESULT_PATH = "/headrace/result"
CONTAINER = "main"
GRACE = 10
AWAY_SECONDS = 60.0
"""How long the API server may be away before a container counts as lost."""
STATUS_SECONDS = 30.0
_TAIL = 20
_PAUSE = 0.5


@dataclass
class _Running:
    """One container of this run, and why it is being ended, if it is."""

    name: str
    ended_by: str | None = None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))
    newest: str = ""
    """Time stamp of the newest line that was told."""


class ContainerPods:
    """The containers of one run."""

    def __init__(self, settings: Settings, place: RunPlace, api: KubernetesApi) -> None:
        self._settings = settings
        self._place = place
        self._api = api
        self._lock = threading.Lock()
        self._running: dict[str, _Running] = {}

    def run(self, task: ContainerTask, *, timeout: float | None, on_line: OnLine) -> Any:
        """Run the container to its end; its result.

        Raises `NodeError`: container_refused, container_start_failed, container_failed, container_memory,
        container_timeout, container_lost, bad_value, canceled.
        """
        self._check(task)
        running = _Running(f"headrace-node-{self._place.run_id[:8]}-{uuid.uuid4().hex[:16]}")
        with self._made(running, task) as made, self._limited(running, timeout):
            self._await_start(running, made)
            self._follow(running, on_line)
            return self._result(running, self._await_end(running))

    def cancel_all(self) -> None:
        """End all of them; `run` raises `canceled`."""
        with self._lock:
            running = list(self._running.values())
        for each in running:
            self._end(each, "canceled")

    def _check(self, task: ContainerTask) -> None:
        policy = jobs.policy(self._settings)
        assert policy is not None
        if not policy.allows_image(task.image):
            said = f"this installation does not allow the image {task.image!r}"
            raise NodeError("container_refused", said, retryable=False)
        for refusal in policy.resource_refusals(task.cpu, task.memory, "resources"):
            raise NodeError("container_refused", refusal.message, retryable=False)

    @contextmanager
    def _made(self, running: _Running, task: ContainerTask) -> Iterator[Json]:
        with self._lock:
            self._running[running.name] = running
        try:
            yield self._create(running, task)
        finally:
            with self._lock:
                del self._running[running.name]
            self._delete(running.name)

    def _create(self, running: _Running, task: ContainerTask) -> Json:
        try:
            return self._patient(lambda: self._api.create_pod(pod(running.name, task, self._place, self._settings)))
        except ClusterError as error:
            if error.status == 409:  # the answer to the first attempt was lost
                return self._api.read_pod(running.name) or {}
            raise NodeError("container_refused", f"the cluster refused the pod: {error.message}") from None

    @contextmanager
    def _limited(self, running: _Running, timeout: float | None) -> Iterator[None]:
        timer = None if timeout is None else threading.Timer(timeout, self._end, (running, "timeout"))
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    def _await_start(self, running: _Running, made: Json) -> None:
        """Return once the container runs or has ended; one watch of this one pod."""
        deadline = time.monotonic() + self._settings.kubernetes_start_deadline
        problem_since: float | None = None
        for seen in self._seen(running, made):
            self._refuse_when_ended(running)
            if seen is None:
                raise NodeError("container_lost", "the container's pod was deleted before it started")
            if not reasons.is_waiting_to_start(seen) or reasons.is_over(seen):
                return
            problem = reasons.start_problem(seen)
            now = time.monotonic()
            problem_since = None if problem is None else problem_since or now
            patience = self._settings.kubernetes_start_patience
            if problem is not None and (not problem.may_pass or now - (problem_since or now) >= patience):
                raise NodeError("container_start_failed", problem.message, retryable=problem.is_retryable)
            if now > deadline:
                raise NodeError("container_start_failed", "the container did not start in time")

    def _seen(self, running: _Running, made: Json) -> Iterator[Json | None]:
        """The pod as it changes; after a second without news as it was."""
        current: Json | None = made
        version = str(made.get("metadata", {}).get("resourceVersion", "0"))
        selector = f"metadata.name={running.name}"
        while True:
            yield current
            watch = self._patient(lambda: self._api.watch_kind("pods", version, field_selector=selector))  # noqa: B023 - called at once
            changes: deque[Json] = deque()
            reader = threading.Thread(target=_collect, args=(watch, changes), daemon=True)
            reader.start()
            try:
                while reader.is_alive() or changes:
                    if not changes:
                        time.sleep(_PAUSE / 5)
                        yield current
                        continue
                    change = changes.popleft()
                    if change["type"] == "ERROR":
                        break
                    current = None if change["type"] == "DELETED" else change["object"]
                    version = str(change["object"]["metadata"]["resourceVersion"])
                    yield current
            finally:
                cut(watch)
                reader.join(_PAUSE)
            current = self._patient(lambda: self._api.read_pod(running.name))
            version = str((current or made)["metadata"]["resourceVersion"])

    def _follow(self, running: _Running, on_line: OnLine) -> None:
        """Tell each line once, as it is written, until the container has ended."""
        deadline = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                response = self._api.follow_log(running.name, CONTAINER)
                try:
                    for line in lines_of(response.stream(16 * 1024)):
                        self._tell(running, line, on_line)
                        deadline = time.monotonic() + AWAY_SECONDS
                finally:
                    response.close()
                return
            except ClusterError:
                return  # the pod is gone; what became of it is asked next
            except (ClusterAway, HTTPError, OSError) as error:
                if time.monotonic() > deadline:
                    raise NodeError("container_lost", f"the API server is away: {error}") from None
                time.sleep(_PAUSE)

    def _tell(self, running: _Running, line: bytes, on_line: OnLine) -> None:
        stamp, _, text = line.decode(errors="replace").partition(" ")
        if stamp <= running.newest:
            return  # told before the stream broke; time stamps have nanoseconds
        running.newest = stamp
        running.tail.append(text)
        on_line("stdout", text)

    def _await_end(self, running: _Running) -> Json:
        deadline = time.monotonic() + STATUS_SECONDS
        while True:
            self._refuse_when_ended(running)
            seen = self._patient(lambda: self._api.read_pod(running.name))
            if seen is None:
                raise NodeError("container_lost", "the container's pod was deleted")
            if reasons.is_over(seen):
                return seen
            if time.monotonic() > deadline:
                raise NodeError("container_lost", "the container's end is not known: its node does not answer")
            time.sleep(_PAUSE)

    def _result(self, running: _Running, ended: Json) -> Any:
        self._refuse_when_ended(running)
        reason = reasons.end_reason(ended)
        if reason is not None:
            kinds = {reasons.MEMORY: "container_memory", reasons.EXITED: "container_failed"}
            kind = kinds.get(reason.kind, "container_lost" if reason.is_retryable else "container_failed")
            tail = "\n".join(running.tail)
            raise NodeError(kind, f"{reason.message}\n{tail}" if tail else reason.message)
        for status in ended.get("status", {}).get("containerStatuses", ()):
            text = (status.get("state", {}).get("terminated") or {}).get("message")
            if text:
                return _parsed(text)
        return None

    def _refuse_when_ended(self, running: _Running) -> None:
        if running.ended_by == "timeout":
            raise NodeError("container_timeout", "the container took longer than the node's timeout")
        if running.ended_by is not None:
            raise NodeError("canceled", "the run was canceled while the container ran", retryable=False)

    def _end(self, running: _Running, why: str) -> None:
        running.ended_by = running.ended_by or why
        self._delete(running.name)

    def _delete(self, name: str) -> None:
        try:
            self._api.delete_pod(name, grace=GRACE)
        except (ClusterAway, ClusterError):
            return  # supervision deletes what the run leaves behind

    def _patient(self, ask: Callable[[], T]) -> T:
        deadline = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                return ask()
            except ClusterAway as error:
                if time.monotonic() > deadline:
                    raise NodeError("container_lost", f"the API server is away: {error}") from None
                time.sleep(_PAUSE)


def pod(name: str, task: ContainerTask, place: RunPlace, settings: Settings) -> dict[str, Any]:
    """The pod of one container: no token, no volume, no privilege, owned by the run's pod."""
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": task.image,
        "imagePullPolicy": settings.kubernetes_image_pull_policy,
        "env": [{"name": key, "value": value} for key, value in task.env.items()]
        + [{"name": "HEADRACE_RESULT", "value": RESULT_PATH}],
        "terminationMessagePath": RESULT_PATH,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if task.command:
        container["command"] = list(task.command)
    asked = {key: value for key, value in (("cpu", task.cpu), ("memory", task.memory)) if value is not None}
    if asked:
        container["resources"] = {"requests": asked, "limits": asked}
    metadata: dict[str, Any] = {
        "name": name,
        "labels": jobs.labels(place, jobs.CONTAINER_ROLE) | {jobs.NETWORK_LABEL: "internet"},
        "annotations": jobs.run_annotations(place),
    }
    if settings.pod_name and settings.pod_uid:
        owner = {"apiVersion": "v1", "kind": "Pod", "name": settings.pod_name, "uid": settings.pod_uid}
        metadata["ownerReferences"] = [owner]
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        said = f"the container left no JSON in {RESULT_PATH}"
        raise NodeError("bad_value", said, retryable=False) from None


def _collect(watch: Any, changes: deque[Mapping[str, Any]]) -> None:
    try:
        for line in lines_of(watch.stream(16 * 1024)):
            changes.append(json.loads(line))
    except (HTTPError, OSError, ValueError, AttributeError):
        return  # cut; the pod is read anew
    finally:
        watch.close()
