"""The registry of node types: the built-in ones, and those an entry point adds. Documents name types, never paths."""

from __future__ import annotations

from collections.abc import Iterable

from .node_type import AnyNodeType, NodeTypes
from .nodes.delay import Delay
from .nodes.http_request import HttpRequest
from .nodes.merge import Merge
from .nodes.python import Python
from .nodes.switch import Switch
from .nodes.transform import Transform


def builtin_node_types() -> NodeTypes:
    """The node types every Headrace has, by name."""
    return with_node_types((Transform(), Python(), HttpRequest(), Delay(), Merge(), Switch()), {})


def with_node_types(added: Iterable[AnyNodeType], known: NodeTypes) -> NodeTypes:
    """`known` and the added types; raises ValueError if two have one name."""
    types = dict(known)
    for node_type in added:
        if node_type.name in types:
            raise ValueError(f"two node types are named {node_type.name!r}")
        types[node_type.name] = node_type
    return dict(sorted(types.items()))
