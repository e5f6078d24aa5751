"""The graphs that a document may call: where they come from, and which of them a `graph` node means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .canonical import content_hash
from .spec import GraphSpec

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


class Calls:
    """Finds what calls mean in a library, each version once."""

    def __init__(self, library: GraphLibrary | None) -> None:
        self._library = library
        self._found: dict[tuple[str, int | None, str | None], Callee] = {}

    def find(self, name: str, version: int | None, sha256: str | None = None) -> Callee:
        """The version of the graph, or its latest; with `sha256` exactly the document of that hash."""
        key = (name, version, sha256)
        if key not in self._found:
            self._found[key] = self._look_up(*key)
        return self._found[key]

    def _look_up(self, name: str, version: int | None, sha256: str | None) -> Callee:
        if self._library is None:
            return NotCallable(None, "graph", f"the graph `{name}` is not known here, so calls of it are not checked")
        latest = self._library.latest(name)
        wanted = latest if version is None else version
        document = None if wanted is None else self._library.document(name, wanted, sha256)
        if document is not None and wanted is not None:
            return CalledGraph(name, wanted, content_hash(document), GraphSpec.model_validate_json(document))
        if not self._library.is_complete:
            return NotCallable(None, "graph", f"the graph `{name}` is not known here, so calls of it are not checked")
        if latest is None:
            return NotCallable("unknown_graph", "graph", f"there is no graph `{name}` of this owner")
        if sha256 is not None and self._library.document(name, wanted or latest, None) is not None:
            message = f"version {wanted} of `{name}` has another SHA-256"
            return NotCallable("unknown_version", "sha256", message, "leave it out: it is set when the graph is saved")
        message = f"the graph `{name}` has no version {wanted}"
        return NotCallable("unknown_version", "version", message, f"its latest is {latest}")
