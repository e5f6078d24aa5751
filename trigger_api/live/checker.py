"""What every document that reaches this installation is checked with."""

from __future__ import annotations

from dataclasses import dataclass

from graph_compiler.checking.validation import Checked, check
from graph_compiler.drafts.placement import ClusterPolicy
from graph_compiler.language.loading import Syntax
from graph_compiler.nodes.node_type import NodeTypes
from platform_core.database.engine import Engine, reading
from platform_core.graphs.graph_library import OwnedGraphs


@dataclass(frozen=True)
class Checker:
    """The node types, the graphs of each owner, and what the operator allows documents; `cluster` None without one."""

    engine: Engine
    node_types: NodeTypes
    cluster: ClusterPolicy | None
    max_bytes: int

    def check(self, text: bytes, syntax: Syntax | None, owner_id: str) -> Checked:
        """All issues of a document, and its spec when there are none; it may call the graphs of this owner."""
        return check(
            text,
            syntax=syntax,
            max_bytes=self.max_bytes,
            node_types=self.node_types,
            library=OwnedGraphs(lambda: reading(self.engine), owner_id),
            cluster=self.cluster,
        )
