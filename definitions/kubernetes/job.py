"""A run as a Kubernetes Job: what dagster-k8s is given, from the graph's settings and the operator's. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from graph_compiler.drafts.placement import ClusterPolicy
from graph_compiler.language.spec import SettingsSpec
from platform_core.ending_times import EndingTimes
from platform_core.facts.run_ref import RunRef
from platform_core.settings import Settings

RUN_LABEL = "headrace/run"
ROLE_LABEL = "app.kubernetes.io/component"
RUN_ROLE = "run"
CONTAINER_ROLE = "container-node"
NODE_LABEL = "headrace/node"
NETWORK_LABEL = "headrace/network"
CONTAINER = "run"

HOME = "/var/lib/headrace"
LOST_NODE_SECONDS = 60
"""Seconds a run pod stays bound to a node that does not answer."""

_NO_LABEL = re.compile(r"[^A-Za-z0-9_.-]+")


def policy(settings: Settings) -> ClusterPolicy | None:
    """What graphs may ask of this installation's cluster; None without one."""
    if settings.launcher != "kubernetes":
        return None
    return ClusterPolicy(
        images=settings.kubernetes_allowed_images,
        service_accounts=settings.kubernetes_allowed_service_accounts,
        node_labels=settings.kubernetes_allowed_node_labels,
        tolerations=settings.kubernetes_allowed_tolerations,
        max_cpu=settings.kubernetes_max_cpu,
        max_memory=settings.kubernetes_max_memory,
    )


def job_name(run_id: str, worker: int = 0) -> str:
    """The name of the run's Job: one for each worker that it has had, so that a launch done twice makes one."""
    return f"headrace-run-{run_id}" + (f"-{worker}" if worker else "")


def job_of(pod: Mapping[str, Any]) -> str:
    """The name of the Job whose pod it is."""
    labels = pod["metadata"].get("labels", {})
    name = labels.get("batch.kubernetes.io/job-name") or labels.get("job-name")
    return str(name or job_name(str(labels.get(RUN_LABEL, ""))))


def of_next_worker(job: dict[str, Any], run_id: str, worker: int) -> dict[str, Any]:
    """The run's Job as that of this worker, which takes the run over."""
    name = job_name(run_id, worker)
    template = job["spec"]["template"]
    job["metadata"]["name"] = name
    if "name" in template.get("metadata", {}):
        template["metadata"]["name"] = name
    [container] = template["spec"]["containers"]
    container["command"] = ["headrace", "run-job", run_id, "--worker", str(worker)]
    return job


def labels(run: RunRef, role: str = RUN_ROLE) -> dict[str, str]:
    """The labels of everything in the cluster that belongs to the run."""
    return {
        "app.kubernetes.io/name": "headrace",
        "app.kubernetes.io/part-of": "headrace",
        ROLE_LABEL: role,
        RUN_LABEL: run.run_id,
        "headrace/graph": label_value(run.graph),
        "headrace/version": str(run.version),
        "headrace/owner": label_value(run.owner),
    }


def run_annotations(run: RunRef) -> dict[str, str]:
    """The same without a label's limits."""
    return {
        "headrace/run": run.run_id,
        "headrace/graph": run.graph,
        "headrace/graph-id": run.graph_id,
        "headrace/version": str(run.version),
        "headrace/owner": run.owner,
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    }


def label_value(text: str) -> str:
    """The text as a label's value: at most 63 letters, digits, `-`, `_` and `.`, the first and last alphanumeric."""
    return _NO_LABEL.sub("-", text)[:63].strip("-_.")


def start_deadline(wanted: SettingsSpec, settings: Settings) -> float:
    """Seconds the run's pod may take to start."""
    return wanted.kubernetes.start_deadline or settings.kubernetes_start_deadline


def user_config(
    run: RunRef, wanted: SettingsSpec, settings: Settings, *, uses_containers: bool = False
) -> dict[str, Any]:
    """dagster-k8s's `run_k8s_config` of one run, in its words; the operator's own is merged below it.

    Only a run that uses containers gets the credentials to make their pods.
    """
    return {
        "container_config": _container(wanted, settings, run),
        "pod_spec_config": _pod(wanted, settings, uses_containers),
        "pod_template_spec_metadata": {
            "labels": labels(run) | {NETWORK_LABEL: wanted.kubernetes.network},
            "annotations": run_annotations(run),
        },
        "job_metadata": {
            "namespace": settings.kubernetes_namespace,
            "labels": labels(run),
            "annotations": run_annotations(run),
        },
        "job_spec_config": {
            "backoff_limit": 0,
            "ttl_seconds_after_finished": settings.kubernetes_run_ttl,
            "active_deadline_seconds": _deadline(wanted, settings),
        },
    }


def _deadline(wanted: SettingsSpec, settings: Settings) -> int:
    if wanted.timeout is None:
        return settings.kubernetes_run_deadline
    # It counts from the Job's creation, and so has the pod's start in it.
    return math.ceil(wanted.timeout + start_deadline(wanted, settings)) + EndingTimes.of(settings).job


def _container(wanted: SettingsSpec, settings: Settings, run: RunRef) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": wanted.kubernetes.image or settings.kubernetes_image,
        "image_pull_policy": settings.kubernetes_image_pull_policy,
        "command": ["headrace", "run-job", run.run_id],
        "env": [
            {"name": "HEADRACE_HOME", "value": HOME},
            {"name": "HEADRACE_LAUNCHER", "value": "kubernetes"},
            *_downward(),
        ],
        "volume_mounts": [{"name": "home", "mount_path": HOME}, {"name": "tmp", "mount_path": "/tmp"}],  # noqa: S108 - the pod's own
        "security_context": {
            "run_as_non_root": True,
            "read_only_root_filesystem": True,
            "allow_privilege_escalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "termination_message_policy": "FallbackToLogsOnError",
    }
    if wanted.resources is not None:
        asked = wanted.resources.model_dump(exclude_none=True)
        container["resources"] = {"requests": asked, "limits": asked}
    return container


def _downward() -> list[dict[str, Any]]:
    """What the pod has to know of itself to own the pods of its `container` nodes."""
    fields = {"HEADRACE_POD_NAME": "metadata.name", "HEADRACE_POD_UID": "metadata.uid"}
    return [{"name": name, "value_from": {"field_ref": {"field_path": path}}} for name, path in fields.items()]


def _pod(wanted: SettingsSpec, settings: Settings, uses_containers: bool) -> dict[str, Any]:
    kubernetes = wanted.kubernetes
    pod: dict[str, Any] = {
        "restart_policy": "Never",
        "service_account_name": kubernetes.service_account or settings.kubernetes_service_account,
        # Only what starts other pods is given a token.
        "automount_service_account_token": uses_containers,
        "enable_service_links": False,
        "termination_grace_period_seconds": EndingTimes.of(settings).pod,
        "security_context": {
            "run_as_non_root": True,
            "run_as_user": 10001,
            "run_as_group": 10001,
            "fs_group": 10001,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
        "volumes": [{"name": "home", "empty_dir": {}}, {"name": "tmp", "empty_dir": {}}],
        "tolerations": [*_lost_nodes(), *(each.model_dump(exclude_none=True) for each in kubernetes.tolerations)],
    }
    if kubernetes.node_selector:
        pod["node_selector"] = dict(kubernetes.node_selector)
    return pod


def _lost_nodes() -> list[Mapping[str, Any]]:
    return [
        {
            "key": f"node.kubernetes.io/{state}",
            "operator": "Exists",
            "effect": "NoExecute",
            "toleration_seconds": LOST_NODE_SECONDS,
        }
        for state in ("not-ready", "unreachable")
    ]
