"""Wishes for pods that the operator of this installation does not allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from graph_compiler.drafts.draft import Draft
from graph_compiler.drafts.placement import ClusterPolicy, Refusal
from graph_compiler.language.issues import Finding
from graph_compiler.language.spec import SettingsSpec
from graph_compiler.nodes.code.container import ContainerConfig
from graph_compiler.templates.templates import is_template


def wishes(data: Any, draft: Draft, cluster: ClusterPolicy) -> Iterator[Finding]:
    """What `settings` and `container` nodes ask for and may not; a templated image is checked when it runs."""
    refusals = [*_of_settings(data, cluster), *_of_containers(draft, cluster)]
    for refusal in refusals:
        yield Finding("unavailable", refusal.path, refusal.message, hint=refusal.hint)


def _of_settings(data: Any, cluster: ClusterPolicy) -> list[Refusal]:
    try:
        return cluster.refusals(SettingsSpec.model_validate(data["settings"]))
    except (KeyError, TypeError, ValidationError):  # absent, or its shape is another finding
        return []


def _of_containers(draft: Draft, cluster: ClusterPolicy) -> Iterator[Refusal]:
    for node in draft.nodes:
        if not isinstance(node.config, ContainerConfig):
            continue
        image, resources = node.config.image, node.config.resources
        if not is_template(image) and not cluster.allows_image(image):
            message = f"this installation does not allow the image `{image}`"
            yield Refusal(f"{node.path}/config/image", message, f"allowed: {', '.join(cluster.images) or 'none'}")
        yield from cluster.resource_refusals(resources.cpu, resources.memory, f"{node.path}/config/resources")
