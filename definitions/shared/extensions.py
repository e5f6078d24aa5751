"""The node types of this installation: the built-in ones and those that installed packages offer."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from graph_compiler.catalogue.node_types import builtin_node_types, with_node_types
from graph_compiler.nodes.node_type import AnyNodeType, NodeType, NodeTypes

GROUP = "headrace.node_types"
"""Entry points of this group name a callable without arguments that makes a node type."""


class ExtensionBroken(Exception):
    """An installed package offers a node type that cannot be used."""


def installed_node_types(*, containers: bool = False) -> NodeTypes:
    """All node types by name; `containers` says whether `container` nodes can run.

    Raises `ExtensionBroken` naming the package that offers what cannot be used.
    """
    try:
        return with_node_types(
            [_made(point) for point in entry_points(group=GROUP)], builtin_node_types(containers=containers)
        )
    except ValueError as error:
        raise ExtensionBroken(str(error)) from error


def _made(point: EntryPoint) -> AnyNodeType:
    package = point.dist.name if point.dist else "a package"
    try:
        made = point.load()()
    except Exception as error:  # whatever a foreign package does when it is imported
        said = f"{point.name} of {package} cannot be loaded: {type(error).__name__}: {error}"
        raise ExtensionBroken(said) from error
    if not isinstance(made, NodeType):
        raise ExtensionBroken(f"{point.name} of {package} makes no NodeType")
    return made
