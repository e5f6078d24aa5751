"""The node types of this installation: the built-in ones and those that installed packages offer."""

from __future__ import annotations

from importlib.metadata import entry_points

from graph_compiler.node_type import NodeTypes
from graph_compiler.node_types import builtin_node_types, with_node_types
from headrace_cli.errors import CommandError

GROUP = "headrace.node_types"
"""Entry points of this group name a callable without arguments that makes a node type."""


def installed_node_types() -> NodeTypes:
    """All node types by name. Raises `CommandError` if two have one name."""
    try:
        return with_node_types([point.load()() for point in entry_points(group=GROUP)], builtin_node_types())
    except ValueError as error:
        raise CommandError(f"An installed package disturbs the node types: {error}.") from error
