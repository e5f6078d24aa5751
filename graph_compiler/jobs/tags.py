"""A graph's settings as the tags that Dagster's queue, run monitoring and Kubernetes launcher read."""

from __future__ import annotations

import json

from graph_compiler.language.spec import NodeSpec, ResourcesSpec, SettingsSpec

MAX_PARALLEL_TAG = "headrace/max_parallel"
FINALLY_TAG = "headrace/finally"
TIMEOUT_TAG = "headrace/timeout"
"""Seconds that a node's attempt, or a whole run, may take."""
PROCESSOR_TAG = "headrace/processor"
"""Of steps that keep a processor busy."""
MAX_NODES_TAG = "headrace/max_parallel_nodes"
"""Of a run: steps that run at once."""


def run_tags(settings: SettingsSpec) -> dict[str, str]:
    """The tags of every run of a graph with these settings."""
    tags = {}
    if settings.priority:
        tags["dagster/priority"] = str(settings.priority)
    if settings.timeout is not None:
        tags[TIMEOUT_TAG] = str(settings.timeout)
    if settings.max_parallel is not None:
        tags[MAX_NODES_TAG] = str(settings.max_parallel)
    if settings.resources is not None:
        tags["dagster-k8s/config"] = _pod(settings.resources)
    return tags


def step_tags(node: NodeSpec, uses_processor: bool) -> dict[str, str]:
    """What is said of the node's steps, as Dagster's UI shows it."""
    tags = {}
    if node.max_parallel is not None:
        tags[MAX_PARALLEL_TAG] = str(node.max_parallel)
    if uses_processor:
        tags[PROCESSOR_TAG] = "true"
    if node.finally_:
        tags[FINALLY_TAG] = "true"
    if node.timeout is not None:
        tags[TIMEOUT_TAG] = str(node.timeout)
    return tags


def _pod(resources: ResourcesSpec) -> str:
    wanted = resources.model_dump(exclude_none=True)
    container = {"resources": {"requests": wanted, "limits": wanted}}
    return json.dumps({"container_config": container}, sort_keys=True)
