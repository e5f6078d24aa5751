"""A graph's settings as the tags that Dagster's queue, run monitoring and Kubernetes launcher read."""

from __future__ import annotations

import json
import math

from .spec import ResourcesSpec, SettingsSpec


def run_tags(settings: SettingsSpec) -> dict[str, str]:
    """The tags of every run of a graph with these settings."""
    tags = {}
    if settings.priority:
        tags["dagster/priority"] = str(settings.priority)
    if settings.timeout is not None:
        tags["dagster/max_runtime"] = str(max(1, math.ceil(settings.timeout)))
    if settings.resources is not None:
        tags["dagster-k8s/config"] = _pod(settings.resources)
    return tags


def _pod(resources: ResourcesSpec) -> str:
    wanted = resources.model_dump(exclude_none=True)
    container = {"resources": {"requests": wanted, "limits": wanted}}
    return json.dumps({"container_config": container}, sort_keys=True)
