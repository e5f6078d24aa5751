"""The graphs that a document may call: where they come from, and which of them a `graph` node means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from graph_compiler.language.spec import GraphSpec
from graph_compiler.values.canonical import content_hash

MAX_DEPTH = 8
"""Graphs within graphs."""
GRAPH_TYPE = "graph"
"""The node type that calls."""


class GraphLibrary(Protocol):
    """The stored graphs of one owner. The compiler only asks; who validates or compiles brings it along."""

    @property
    def is_complete(self) -> bool:
        """Whether a graph that is not here does not exist; if not, its calls are left unchecked."""

    def latest(self, name: str) -> int | None:
        """The current version of the owner's graph of that name; None if there is none."""

    def document(self, name: str, version: int, sha256: str | None) -> str | None:
        """The canonical document of a version; with its SHA-256 also of a graph that was deleted since."""


@dataclass(frozen=True)
class CalledGraph:
    """One immutable version of a graph, called by another."""

    name: str
    version: int
    sha256: str
    spec: GraphSpec


@dataclass(frozen=True)
class NotCallable:
    """Why a call means no graph: an issue code, None where that cannot be known, and the config's key to blame."""

    code: str | None
    key: str
    message: str
    hint: str | None = None


Callee = CalledGraph | NotCallable


class Extent(NamedTuple):
    """What a call brings in: the nodes of all graphs it reaches, how deep they are, and their names."""

    nodes: int
    depth: int
    names: frozenset[str]


class Calls:
    """Finds what calls mean in a library, each version once."""

    def __init__(self, library: GraphLibrary | None) -> None:
        self._library = library
        self._found: dict[tuple[str, int | None, str | None], Callee] = {}
        self._extents: dict[str, Extent] = {}

    def find(self, name: str, version: int | None, sha256: str | None = None) -> Callee:
        """The version of the graph, or its latest; with `sha256` exactly the document of that hash."""
        key = (name, version, sha256)
        if key not in self._found:
            self._found[key] = self._look_up(*key)
        return self._found[key]

    def extent(self, called: CalledGraph) -> Extent:
        """What the graph and those that it calls amount to."""
        if called.sha256 not in self._extents:
            # Its own, for the time being: drafts that were never saved may lead back to one another.
            self._extents[called.sha256] = Extent(len(called.spec.nodes), 1, frozenset({called.name}))
            self._extents[called.sha256] = self._measured(called)
        return self._extents[called.sha256]

    def _measured(self, called: CalledGraph) -> Extent:
        nodes, depth, names = len(called.spec.nodes), 1, {called.name}
        for node in called.spec.nodes:
            if node.type == GRAPH_TYPE:
                version = node.config.get("version", "latest")
                inner = self.find(
                    node.config["graph"], None if version == "latest" else version, node.config.get("sha256")
                )
                if isinstance(inner, CalledGraph):
                    reach = self.extent(inner)
                    nodes, depth, names = nodes + reach.nodes, max(depth, reach.depth + 1), names | reach.names
        return Extent(nodes, depth, frozenset(names))

    def _look_up(self, name: str, version: int | None, sha256: str | None) -> Callee:
        unknown = NotCallable(None, "graph", f"the graph `{name}` is not known here, so calls of it are not checked")
        if self._library is None:
            return unknown
        latest = self._library.latest(name)
        wanted = latest if version is None else version
        document = None if wanted is None else self._library.document(name, wanted, sha256)
        if document is not None and wanted is not None:
            return CalledGraph(name, wanted, content_hash(document), GraphSpec.model_validate_json(document))
        if not self._library.is_complete:
            return unknown
        if latest is None:
            return NotCallable("unknown_graph", "graph", f"there is no graph `{name}` of this owner")
        if sha256 is not None and self._library.document(name, wanted or latest, None) is not None:
            message = f"version {wanted} of `{name}` has another SHA-256"
            return NotCallable("unknown_version", "sha256", message, "leave it out: it is set when the graph is saved")
        message = f"the graph `{name}` has no version {wanted}"
        return NotCallable("unknown_version", "version", message, f"its latest is {latest}")
