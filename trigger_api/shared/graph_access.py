"""The graph a path names, for those who may know of it, and its document as a spec."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from graph_compiler.language.spec import GraphSpec
from platform_core.audit.entry import Target, TargetKind
from platform_core.database.engine import Connection
from platform_core.errors import GraphNotFound
from platform_core.graphs.graph_store import Graph, get_version, resolve_graph
from platform_core.identity.auth import Principal


def find_graph(connection: Connection, principal: Principal, reference: str) -> Graph:
    """Raises `GraphNotFound`, also for what belongs to somebody else."""
    graph = resolve_graph(connection, principal.user_id, reference, principal.is_admin)
    if graph is None:
        raise GraphNotFound(f"There is no graph {reference}.")
    return graph


def trigger_target(graph: Graph, trigger: str) -> Target:
    """A trigger as the audit log names it: by its graph's id and, as people do, `graph/trigger`."""
    return Target(TargetKind.TRIGGER, graph.id, f"{graph.name}/{trigger}", graph.owner_id)


@dataclass(frozen=True)
class Opened:
    """A graph and the version of it that is meant."""

    graph: Graph
    version: int
    spec: GraphSpec


class SpecCache:
    """Parsed documents of the versions used last. Versions never change, so nothing goes stale."""

    def __init__(self, size: int = 512) -> None:
        self._size = size
        self._specs: OrderedDict[tuple[str, int], GraphSpec] = OrderedDict()
        self._lock = threading.Lock()

    def open_version(self, connection: Connection, principal: Principal, reference: str, version: int | None) -> Opened:
        """The graph and this version of it, or its current one. Raises `GraphNotFound` and `VersionNotFound`."""
        graph = find_graph(connection, principal, reference)
        number = version or graph.version
        return Opened(graph, number, self.spec(connection, graph.id, number))

    def spec(self, connection: Connection, graph_id: str, version: int) -> GraphSpec:
        """The spec of a version. Raises `VersionNotFound`."""
        key = (graph_id, version)
        with self._lock:
            if key in self._specs:
                self._specs.move_to_end(key)
                return self._specs[key]
        spec = GraphSpec.model_validate_json(get_version(connection, graph_id, version).document)
        with self._lock:
            self._specs[key] = spec
            while len(self._specs) > self._size:
                self._specs.popitem(last=False)
        return spec
