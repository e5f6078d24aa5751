"""Which version of whose graph is meant, and which run of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class VersionRef:
    """A version of a graph, with the names of graph and owner."""

    graph_id: str
    graph: str
    version: int
    owner_id: str
    owner: str

    def of_run(self, run_id: str) -> RunRef:
        """A run of this version."""
        return RunRef(
            run_id=run_id,
            graph_id=self.graph_id,
            graph=self.graph,
            version=self.version,
            owner_id=self.owner_id,
            owner=self.owner,
        )


@dataclass(frozen=True, kw_only=True)
class RunRef(VersionRef):
    """A run, with the version that it executes."""

    run_id: str
