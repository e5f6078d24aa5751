"""The registry of node types: the built-in ones, and those an entry point adds. Documents name types, never paths."""

from __future__ import annotations

from collections.abc import Iterable

from .node_type import AnyNodeType, NodeTypes
from .nodes.aggregate import Aggregate
from .nodes.container import Container
from .nodes.csv_read import CsvRead
from .nodes.csv_write import CsvWrite
from .nodes.delay import Delay
from .nodes.email_send import EmailSend
from .nodes.fail import Fail
from .nodes.file_list import FileList
from .nodes.file_read import FileRead
from .nodes.file_write import FileWrite
from .nodes.filter import Filter
from .nodes.graph import Graph
from .nodes.http_request import HttpRequest
from .nodes.log import Log
from .nodes.merge import Merge
from .nodes.parquet_read import ParquetRead
from .nodes.parquet_write import ParquetWrite
from .nodes.publish import Publish
from .nodes.python import Python
from .nodes.query import QueryNode
from .nodes.shell import Shell
from .nodes.sql_query import SqlQuery
from .nodes.switch import Switch
from .nodes.template import Template
from .nodes.transform import Transform

BUILTIN: tuple[type[AnyNodeType], ...] = (
    Aggregate,
    CsvRead,
    CsvWrite,
    Delay,
    EmailSend,
    Fail,
    FileList,
    FileRead,
    FileWrite,
    Filter,
    Graph,
    HttpRequest,
    Log,
    Merge,
    ParquetRead,
    ParquetWrite,
    Publish,
    Python,
    QueryNode,
    Shell,
    SqlQuery,
    Switch,
    Template,
    Transform,
)


def builtin_node_types(*, containers: bool = False) -> NodeTypes:
    """The node types every Headrace has, by name; `containers` says whether `container` nodes can run."""
    return with_node_types((Container(available=containers), *(kind() for kind in BUILTIN)), {})


def with_node_types(added: Iterable[AnyNodeType], known: NodeTypes) -> NodeTypes:
    """`known` and the added types; raises ValueError if two have one name."""
    types = dict(known)
    for node_type in added:
        if node_type.name in types:
            raise ValueError(f"two node types are named {node_type.name!r}")
        types[node_type.name] = node_type
    return dict(sorted(types.items()))
