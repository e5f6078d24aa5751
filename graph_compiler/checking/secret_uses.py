"""Which nodes and triggers of a graph may read which secrets, as far as its document tells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import ValidationError

from graph_compiler.language.spec import GraphSpec, NodeSpec
from graph_compiler.language.webhook_trigger import WebhookTrigger
from graph_compiler.nodes.node_type import NodeTypes
from graph_compiler.templates.templates import analyse, templates_in

ANY = "*"
"""Stands for the name where only a run can tell it, as in `secrets[params.which]`."""


@dataclass
class SecretUse:
    """A secret, and the ids of the nodes and triggers that name it."""

    name: str
    nodes: list[str] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)


def secret_uses(spec: GraphSpec, node_types: NodeTypes) -> list[SecretUse]:
    """The secrets by name, with `ANY` first. Graphs that it calls are not looked into; they have their own."""
    found: defaultdict[str, SecretUse] = defaultdict(lambda: SecretUse(""))
    for node in spec.nodes:
        for name in set(_secrets_of(node, node_types)):
            found[name].nodes.append(node.id)
    for trigger in spec.triggers:
        if isinstance(trigger, WebhookTrigger):
            for name in dict.fromkeys(trigger.secret_names()):
                found[name].triggers.append(trigger.id)
    return [SecretUse(name, use.nodes, use.triggers) for name, use in sorted(found.items())]


def _secrets_of(node: NodeSpec, node_types: NodeTypes) -> Iterator[str]:
    for _, text in templates_in(dict(node.config), ""):
        for reference in analyse(text).references:
            if reference.root == "secrets":
                yield reference.path[1] if len(reference.path) > 1 else ANY
    node_type = node_types.get(node.type)
    # A type that is of another version by now may read the config no more.
    with suppress(ValidationError):
        if node_type is not None:
            yield from node_type.secret_names(node_type.read_config(node.config, rendered=False))
