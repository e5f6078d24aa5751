"""Why a run that is a pod did not start or did not go on, read from what the cluster says of its Job and pods.

Pure: objects as the API server sends them (JSON), no clock, no network. What a kubelet or controller writes into
reasons and messages is not versioned, so each text that is relied on is in the tests with the object it came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Object = Mapping[str, Any]

IMAGE = "image_pull_failed"
UNSCHEDULABLE = "unschedulable"
CONFIGURATION = "config_missing"
VOLUME = "volume_failed"
INIT = "init_failed"
START = "container_start_failed"
REFUSED = "pod_refused"
MEMORY = "out_of_memory"
EVICTED = "evicted"
PREEMPTED = "preempted"
NODE = "node_lost"
DELETED = "pod_deleted"
DEADLINE = "deadline_exceeded"
SLOW_START = "start_timeout"
KILLED = "pod_killed"
EXITED = "pod_failed"
LOST = "pod_lost"
KINDS = (
    IMAGE,
    UNSCHEDULABLE,
    CONFIGURATION,
    VOLUME,
    INIT,
    START,
    REFUSED,
    MEMORY,
    EVICTED,
    PREEMPTED,
    NODE,
    DELETED,
    DEADLINE,
    SLOW_START,
    KILLED,
    EXITED,
    LOST,
)
"""All kinds of error that the cluster can give a run."""

RETRYABLE = frozenset(
    {UNSCHEDULABLE, IMAGE, VOLUME, REFUSED, EVICTED, PREEMPTED, NODE, DELETED, SLOW_START, KILLED, LOST}
)
"""What another run may be spared: the cluster's failures. Too little memory and wrong configuration are the graph's."""

_WAITING = {
    "ErrImagePull": IMAGE,
    "ImagePullBackOff": IMAGE,
    "ErrImageNeverPull": IMAGE,
    "InvalidImageName": IMAGE,
    "ImageInspectError": IMAGE,
    "RegistryUnavailable": IMAGE,
    "CreateContainerConfigError": CONFIGURATION,
    "CreateContainerError": START,
    "RunContainerError": START,
    "PreCreateHookError": START,
    "PreStartHookError": START,
    "PostStartHookError": START,
}
_HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_NOT_FOUND = re.compile(
    r"(secret|configmap)s? \"?[^\"]*\"? ?not found|references non-existent (secret|config) key", re.I
)
_LONGEST = 1000


@dataclass(frozen=True)
class Reason:
    """A typed reason; one that `may_pass` is given a few seconds before it ends the run."""

    kind: str
    message: str
    may_pass: bool = False

    @property
    def is_retryable(self) -> bool:
        """Whether a new run may do better for no other cause than being another one."""
        return self.kind in RETRYABLE


def name_of(thing: Object) -> str:
    """The object's name."""
    return str(thing.get("metadata", {}).get("name", ""))


def moment(text: str | None) -> float | None:
    """Seconds since the epoch of a time stamp as Kubernetes writes it."""
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def is_waiting_to_start(pod: Object) -> bool:
    """Whether no container of the pod proper has ever run."""
    return not any(
        "running" in state or "terminated" in state or status.get("lastState")
        for status in pod.get("status", {}).get("containerStatuses", ())
        for state in (status.get("state", {}),)
    )


def is_over(pod: Object) -> bool:
    """Whether nothing of the pod will ever run again."""
    status = pod.get("status", {})
    if status.get("phase") in ("Succeeded", "Failed"):
        return True
    states = [each.get("state", {}) for each in status.get("containerStatuses", ())]
    restarts = pod.get("spec", {}).get("restartPolicy", "Never") != "Never"
    return bool(states) and not restarts and all("terminated" in state for state in states)


def start_problem(pod: Object, events: Sequence[Object] = ()) -> Reason | None:
    """Why a pod that has not started does not: image, configuration, volume, init container, or no node for it."""
    if not is_waiting_to_start(pod):
        return None
    for status in pod.get("status", {}).get("initContainerStatuses", ()):
        reason = _init_problem(status)
        if reason is not None:
            return reason
    for status in pod.get("status", {}).get("containerStatuses", ()):
        reason = _waiting_problem(status)
        if reason is not None:
            return reason
    return _unschedulable(pod) or _mount_problem(events)


def end_reason(pod: Object, events: Sequence[Object] = ()) -> Reason | None:
    """Why a pod ended, if it ended otherwise than by itself with success; None of one that goes on or succeeded."""
    status = pod.get("status", {})
    disruption = _disruption(pod)
    if disruption is not None and (is_over(pod) or status.get("reason") == "NodeLost"):
        return disruption
    if status.get("reason") == "NodeLost":
        return Reason(NODE, f"The node of pod {name_of(pod)} was lost.")
    for each in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        ended = each.get("state", {}).get("terminated") or {}
        if ended and int(ended.get("exitCode", 0)) != 0:
            return _termination(pod, each, ended, events)
    if status.get("phase") == "Failed":
        said = status.get("message") or status.get("reason") or "it said nothing more"
        return Reason(EXITED, _short(f"Pod {name_of(pod)} failed: {said}"))
    return None


def job_reason(job: Object, events: Sequence[Object] = ()) -> Reason | None:
    """What the Job itself says: its deadline passed, or no pod could be made for it."""
    for condition in job.get("status", {}).get("conditions", ()):
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            if condition.get("reason") == "DeadlineExceeded":
                seconds = job.get("spec", {}).get("activeDeadlineSeconds")
                return Reason(DEADLINE, f"The run's pod was ended after its deadline of {seconds} s.")
            return Reason(LOST, _short(f"The run's Job failed: {condition.get('message') or condition.get('reason')}"))
    for event in _newest_first(events):
        if event.get("reason") == "FailedCreate":
            said = str(event.get("message", ""))
            kind = CONFIGURATION if "serviceaccount" in said and "not found" in said else REFUSED
            return Reason(kind, _short(f"The cluster refused the run's pod: {said}"), may_pass=True)
    return None


def deletion_reason(pod: Object) -> Reason:
    """Why a pod that is gone, or is going although it did not end, was deleted."""
    return _disruption(pod) or Reason(DELETED, f"Pod {name_of(pod)} was deleted while the run went on.")


def _init_problem(status: Object) -> Reason | None:
    state = status.get("state", {})
    ended = state.get("terminated") or status.get("lastState", {}).get("terminated")
    if ended and int(ended.get("exitCode", 0)) != 0:
        said = _last(str(ended.get("message") or ended.get("reason") or "Error").strip())
        return Reason(INIT, _short(f"Init container {status.get('name')} ended with {ended.get('exitCode')}: {said}"))
    return _waiting_problem(status)


def _waiting_problem(status: Object) -> Reason | None:
    waiting = status.get("state", {}).get("waiting") or {}
    reason, said = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    kind = _WAITING.get(reason)
    if kind is None:
        return None
    if kind == START and _NOT_FOUND.search(said):
        kind = CONFIGURATION
    what = f"The image {status.get('image')} cannot be pulled" if kind == IMAGE else "The container cannot be started"
    if kind == CONFIGURATION:
        what = "Something that the container is configured with is missing"
    text = f"{what} ({reason}): {said}" if said else f"{what} ({reason})."
    return Reason(kind, _short(text), may_pass=reason not in _HOPELESS)


def _unschedulable(pod: Object) -> Reason | None:
    for condition in pod.get("status", {}).get("conditions", ()):
        is_refused = condition.get("type") == "PodScheduled" and condition.get("status") == "False"
        if is_refused and condition.get("reason") in ("Unschedulable", "SchedulerError"):
            said = condition.get("message") or condition.get("reason")
            return Reason(UNSCHEDULABLE, _short(f"No node takes the run's pod: {said}"), may_pass=True)
    return None


def _mount_problem(events: Sequence[Object]) -> Reason | None:
    for event in _newest_first(events):
        if event.get("reason") in ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"):
            said = str(event.get("message", ""))
            if event.get("reason") == "FailedCreatePodSandBox":
                return Reason(START, _short(f"The pod's sandbox cannot be made: {said}"), may_pass=True)
            kind = CONFIGURATION if _NOT_FOUND.search(said) else VOLUME
            return Reason(kind, _short(f"A volume of the pod cannot be mounted: {said}"), may_pass=True)
    return None


def _disruption(pod: Object) -> Reason | None:
    """What the cluster says it did to the pod: status of an eviction by the kubelet, condition of one by the API."""
    status = pod.get("status", {})
    name, said = name_of(pod), status.get("message")
    if status.get("reason") == "Evicted":
        return Reason(EVICTED, _short(f"Pod {name} was evicted: {said or 'its node was short of something'}"))
    if status.get("reason") == "Preempting":
        return Reason(PREEMPTED, f"Pod {name} made room for one of higher priority.")
    if status.get("reason") in ("NodeShutdown", "Shutdown", "Terminated") and said:
        return Reason(NODE, _short(f"The node of pod {name} was shut down: {said}"))
    if status.get("reason") == "DeadlineExceeded":
        return Reason(DEADLINE, f"Pod {name} was ended after its deadline.")
    for condition in status.get("conditions", ()):
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return _disruption_target(name, str(condition.get("reason", "")), str(condition.get("message", "")))
    return None


def _disruption_target(name: str, reason: str, said: str) -> Reason:
    match reason:
        case "PreemptionByScheduler" | "PreemptionByKubeScheduler":
            return Reason(PREEMPTED, f"Pod {name} made room for one of higher priority.")
        case "DeletionByTaintManager" | "DeletionByPodGC":
            return Reason(NODE, _short(f"The node of pod {name} was lost: {said}"))
        case _:
            return Reason(EVICTED, _short(f"Pod {name} was evicted ({reason}): {said}"))


def _termination(pod: Object, status: Object, ended: Object, events: Sequence[Object]) -> Reason:
    name, code = name_of(pod), int(ended.get("exitCode", 0))
    container = status.get("name")
    is_init = any(each is status for each in pod.get("status", {}).get("initContainerStatuses", ()))
    if ended.get("reason") == "OOMKilled" or (code == 137 and _has_event(events, "OOMKilling", "SystemOOM")):
        limit = _memory_limit(pod, container)
        return Reason(MEMORY, f"Pod {name} used more memory than its limit{f' of {limit}' if limit else ''}.")
    if is_init:
        return Reason(INIT, _short(f"Init container {container} ended with {code}: {ended.get('message') or ''}"))
    if ended.get("reason") in ("ContainerCannotRun", "StartError"):
        return Reason(START, _short(f"The container cannot be started: {ended.get('message') or ended['reason']}"))
    if ended.get("reason") == "ContainerStatusUnknown":
        return Reason(NODE, f"The node of pod {name} lost sight of it.")
    if "deletionTimestamp" in pod.get("metadata", {}):
        return deletion_reason(pod)
    if code > 128 or int(ended.get("signal", 0)):
        number = int(ended.get("signal", 0)) or code - 128
        return Reason(KILLED, f"The process of pod {name} was killed by signal {number}.")
    said = _last(str(ended.get("message") or "").strip())
    return Reason(
        EXITED, _short(f"The process of pod {name} ended with exit status {code}{': ' + said if said else '.'}")
    )


def _memory_limit(pod: Object, container: object) -> str | None:
    for each in pod.get("spec", {}).get("containers", ()):
        if each.get("name") == container:
            limit = each.get("resources", {}).get("limits", {}).get("memory")
            return None if limit is None else str(limit)
    return None


def _has_event(events: Sequence[Object], *reasons: str) -> bool:
    return any(event.get("reason") in reasons for event in events)


def _newest_first(events: Sequence[Object]) -> Iterator[Object]:
    def when(event: Object) -> str:
        return str(event.get("lastTimestamp") or event.get("eventTime") or "")

    return iter(sorted(events, key=when, reverse=True))


def _last(said: str) -> str:
    """The end of what a process said, which is where a traceback names its error."""
    return said if len(said) <= _LONGEST // 2 else f"…{said[-_LONGEST // 2 :]}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
