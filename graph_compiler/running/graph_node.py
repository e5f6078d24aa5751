"""`graph`: run another stored graph of the same owner as one node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from graph_compiler.language.library import GRAPH_TYPE, CalledGraph, Callee, Calls
from graph_compiler.nodes.node_type import (
    TEMPLATED,
    FailureKind,
    NodeCall,
    NodeConfig,
    NodeType,
    NodeTypes,
    Port,
    Ports,
)
from graph_compiler.values.errors import CompilationError
from graph_compiler.values.model import GRAPH_NAME


class GraphConfig(NodeConfig):
    """Config of `graph`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"graph": "score-commits", "params": {"commits": "{{ inputs.commits }}", "limit": 10}},
                {"graph": "score-commits", "version": 3, "params": {"commits": "{{ item }}"}},
            ]
        }
    )

    graph: Annotated[str, StringConstraints(pattern=GRAPH_NAME)] = Field(
        description="The name of another graph of the same owner."
    )
    version: Annotated[int, Field(ge=1)] | Literal["latest"] = Field(
        default="latest",
        description="A version's number, or `latest`: the one that is current when this document is saved. "
        "The number is written into the saved document, and newer versions of the called graph change nothing.",
    )
    params: Annotated[dict[str, Any], TEMPLATED] = Field(
        default_factory=dict, description="The params of the called graph; its defaults are applied."
    )
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="Of the called document; written when this document is saved. Leave it out."
    )

    @property
    def number(self) -> int | None:
        """The version, None for the latest."""
        return None if self.version == "latest" else self.version


class Graph(NodeType[GraphConfig]):
    """See the module. One that is not `bound` to a library knows no graph."""

    name = GRAPH_TYPE
    summary = "Run another graph of the same owner, pinned to a version; its outputs are the node's outputs."
    config_model = GraphConfig
    failures = (FailureKind("bad_params", "The params do not fit the called graph's schema once they are rendered."),)
    notes = (
        "The called graph sees its own `params`; `trigger` and `run` are those of the run. Its `settings` and "
        "`triggers` do not hold in a call. A call whose nodes fail fails with the kind of the first of them. "
        "[Calling graphs](../control-flow.md#calling-graphs) says which steps a call has, how its nodes are named in "
        "events, and what holds for versions."
    )

    def __init__(self, calls: Calls | None = None) -> None:
        self.calls = calls or Calls(None)

    def callee(self, config: GraphConfig) -> Callee:
        """The graph version that the node means, or why there is none."""
        return self.calls.find(config.graph, config.number, config.sha256)

    def called(self, config: GraphConfig) -> CalledGraph:
        found = self.callee(config)
        if not isinstance(found, CalledGraph):
            raise CompilationError(found.message)
        return found

    def ports(self, config: GraphConfig) -> Ports:
        found = self.callee(config)
        if not isinstance(found, CalledGraph):
            return Ports((), (), is_known=False)
        return Ports((), tuple(Port(name, description="Of the called graph.") for name in found.spec.outputs))

    def execute(self, call: NodeCall[GraphConfig]) -> Mapping[str, Any]:
        """Raises `CompilationError`: a call is no work of one node, the engine goes through the called graph."""
        raise CompilationError(f"{call.node} calls a graph, whose nodes the engine executes")


def with_calls(node_types: NodeTypes, calls: Calls) -> NodeTypes:
    """The node types, with a `graph` that finds what it calls there."""
    bound = dict(node_types)
    if GRAPH_TYPE in bound:
        bound[GRAPH_TYPE] = Graph(calls)
    return bound
