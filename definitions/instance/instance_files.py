"""The files in HOME/dagster by which every Dagster process of this home finds storage, launcher and code location.

Imports no Dagster, because `headrace up` writes them before it starts anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from definitions.shared import addresses
from definitions.shared.names import LOCATION, limit_tag
from platform_core.ending_times import EndingTimes
from platform_core.settings import Settings

MONITOR_SECONDS = 5
START_TIMEOUT = 180
LAUNCHES_AT_ONCE = 8


def write(settings: Settings, *, launches: bool = True) -> Path:
    """Write dagster.yaml and workspace.yaml (JSON is YAML); returns the folder, which is DAGSTER_HOME.

    In a cluster only the process that `launches`, the daemon, may speak to the API server.
    """
    folder = settings.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    addresses.run_folder(settings.home).mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in (("dagster.yaml", _instance(settings, launches)), ("workspace.yaml", _workspace(settings))):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    return folder


def workspace_file(settings: Settings) -> Path:
    """The workspace that names our one code location."""
    return settings.home / "dagster" / "workspace.yaml"


def _instance(settings: Settings, launches: bool) -> dict[str, Any]:
    in_cluster = settings.launcher == "kubernetes"
    return {
        "storage": {
            "custom": {
                "module": "definitions.instance.storage",
                "class": "PooledStorage",
                "config": {"postgres_url": {"env": "HEADRACE_DATABASE_URL"}},
            }
        },
        "run_launcher": _launcher(settings, launches),
        "run_coordinator": {
            "module": "definitions.instance.run_coordinator",
            "class": "AttributedRunCoordinator",
            "config": {
                "max_concurrent_runs": settings.max_concurrent_runs,
                "tag_concurrency_limits": _graph_limits(settings.max_concurrent_runs),
                "dequeue_interval_seconds": 2,
                # A launch in a cluster is a request to its API server, which several may wait for at once.
                **({"dequeue_use_threads": True, "dequeue_num_workers": LAUNCHES_AT_ONCE} if in_cluster else {}),
            },
        },
        "run_monitoring": {
            # In a cluster supervision knows each graph's own deadline, and what becomes of a pod.
            "enabled": not in_cluster,
            "poll_interval_seconds": MONITOR_SECONDS,
            "start_timeout_seconds": START_TIMEOUT,
            "cancel_timeout_seconds": EndingTimes.of(settings).monitor,
        },
        "compute_logs": {
            "module": "dagster.core.storage.noop_compute_log_manager",
            "class": "NoOpComputeLogManager",
        },
        # Dagster's events are stored at any level; this only silences their copy on the console.
        "python_logs": {"python_log_level": "CRITICAL"},
        "telemetry": {"enabled": False},
        # Its interface would ask the first person who opens it to subscribe to a newsletter.
        "nux": {"enabled": False},
        # Graphs have no assets, and these daemons would walk through all jobs to find none.
        "auto_materialize": {"enabled": False, "use_sensors": False},
        "freshness": {"enabled": False},
    }


def _launcher(settings: Settings, launches: bool) -> dict[str, Any]:
    if settings.launcher == "warm":
        return {
            "module": "definitions.workers.run_launcher",
            "class": "WarmRunLauncher",
            "config": {"home": str(settings.home)},
        }
    if not launches:
        return {"module": "definitions.daemon.remote_launcher", "class": "RemoteRunLauncher"}
    config: dict[str, Any] = {
        "job_namespace": settings.kubernetes_namespace,
        "service_account_name": settings.kubernetes_service_account,
        "job_image": settings.kubernetes_image,
        "image_pull_policy": settings.kubernetes_image_pull_policy,
        "instance_config_map": settings.kubernetes_config_map,
        "env_config_maps": [settings.kubernetes_config_map],
        "env_secrets": [settings.kubernetes_secret],
    }
    if settings.kubernetes_config_file is not None:
        config |= {"load_incluster_config": False, "kubeconfig_file": settings.kubernetes_config_file}
    if settings.kubernetes_pod:
        config["run_k8s_config"] = settings.kubernetes_pod
    return {"module": "definitions.daemon.kubernetes_launcher", "class": "KubernetesRunLauncher", "config": config}


def _graph_limits(max_concurrent_runs: int) -> list[dict[str, Any]]:
    """Dagster's queue knows limits per tag, not per graph: one tag for each limit below the installation's own."""
    per_graph = {"applyLimitPerUniqueValue": True}
    return [{"key": limit_tag(limit), "value": per_graph, "limit": limit} for limit in range(1, max_concurrent_runs)]


def _workspace(settings: Settings) -> dict[str, Any]:
    address = addresses.code_server(settings)
    place = {"socket": address.socket} if address.socket else {"host": address.host, "port": address.port}
    return {"load_from": [{"grpc_server": {**place, "location_name": LOCATION}}]}
