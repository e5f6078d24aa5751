"""The registry of node types: the built-in ones, and those an entry point adds. Documents name types, never paths."""

from __future__ import annotations

from collections.abc import Iterable

from graph_compiler.nodes.code.container import Container
from graph_compiler.nodes.code.python import Python
from graph_compiler.nodes.code.shell import Shell
from graph_compiler.nodes.control.approval import Approval
from graph_compiler.nodes.control.delay import Delay
from graph_compiler.nodes.control.fail import Fail
from graph_compiler.nodes.control.log import Log
from graph_compiler.nodes.control.merge import Merge
from graph_compiler.nodes.control.switch import Switch
from graph_compiler.nodes.control.wait import Wait
from graph_compiler.nodes.data.aggregate import Aggregate
from graph_compiler.nodes.data.filter import Filter
from graph_compiler.nodes.data.query import QueryNode
from graph_compiler.nodes.data.template import Template
from graph_compiler.nodes.data.transform import Transform
from graph_compiler.nodes.files.csv_read import CsvRead
from graph_compiler.nodes.files.csv_write import CsvWrite
from graph_compiler.nodes.files.file_list import FileList
from graph_compiler.nodes.files.file_read import FileRead
from graph_compiler.nodes.files.file_write import FileWrite
from graph_compiler.nodes.files.parquet_read import ParquetRead
from graph_compiler.nodes.files.parquet_write import ParquetWrite
from graph_compiler.nodes.http.http_request import HttpRequest
from graph_compiler.nodes.node_type import AnyNodeType, NodeTypes
from graph_compiler.nodes.services.email_send import EmailSend
from graph_compiler.nodes.services.publish import Publish
from graph_compiler.nodes.services.sql_query import SqlQuery
from graph_compiler.running.graph_node import Graph

BUILTIN: tuple[type[AnyNodeType], ...] = (
    Aggregate,
    Approval,
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
    Wait,
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
