"""Pods, Jobs and events as API servers send them, cut to what is read; the texts are those of 1.20 to 1.31."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]
RUN_ID = "5f0c7f3e-6c0a-4b57-9f5e-0d9f6d1f2a11"


def pod(name: str = "headrace-run-x-abcde", *, role: str = "run", **status: Any) -> Json:
    """A pod of the run with this status."""
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "resourceVersion": "7",
            "creationTimestamp": "2026-11-23T10:00:00Z",
            "labels": {"headrace/run": RUN_ID, "app.kubernetes.io/component": role},
        },
        "spec": {
            "nodeName": "node-1",
            "restartPolicy": "Never",
            "containers": [{"name": "run", "resources": {"limits": {"memory": "64Mi"}}}],
        },
        "status": {"phase": "Pending", **status},
    }


def container(**state: Any) -> Json:
    """The status of the run's container in one state: waiting, running or terminated."""
    return {"name": "run", "image": "headrace-run:local", "ready": False, "restartCount": 0, "state": state}


def waiting(reason: str, message: str = "") -> Json:
    return pod(containerStatuses=[container(waiting={"reason": reason, "message": message})])


def running() -> Json:
    return pod(phase="Running", containerStatuses=[container(running={"startedAt": "2026-11-23T10:00:02Z"})])


def terminated(code: int, reason: str = "Error", **more: Any) -> Json:
    state = {"exitCode": code, "reason": reason, **more}
    return pod(phase="Failed" if code else "Succeeded", containerStatuses=[container(terminated=state)])


def unschedulable(message: str) -> Json:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(conditions=[condition])


def evicted(message: str) -> Json:
    return pod(phase="Failed", reason="Evicted", message=message)


def disrupted(by: str, message: str = "") -> Json:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": by, "message": message}
    state = {"exitCode": 143, "reason": "Error"}
    return pod(phase="Failed", conditions=[condition], containerStatuses=[container(terminated=state)])


def going(thing: Json, until: str = "2026-11-23T10:01:00Z") -> Json:
    """The same, while it is being deleted."""
    changed = copy.deepcopy(thing)
    changed["metadata"]["deletionTimestamp"] = until
    return changed


def job(*conditions: Json, deadline: int = 3600) -> Json:
    return {
        "metadata": {
            "name": f"headrace-run-{RUN_ID}",
            "uid": "uid-of-job",
            "resourceVersion": "5",
            "labels": {"headrace/run": RUN_ID, "app.kubernetes.io/component": "run"},
        },
        "spec": {"activeDeadlineSeconds": deadline, "backoffLimit": 0},
        "status": {"conditions": list(conditions)},
    }


def failed(reason: str, message: str = "") -> Json:
    return {"type": "Failed", "status": "True", "reason": reason, "message": message}


def event(reason: str, message: str, about: str = "headrace-run-x-abcde", at: str = "2026-11-23T10:00:05Z") -> Json:
    return {
        "metadata": {"name": f"{about}.{reason}", "resourceVersion": "9"},
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "involvedObject": {"kind": "Pod", "name": about},
    }
