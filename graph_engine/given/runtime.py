"""What the engine asks of the runtime beyond what nodes do."""

from __future__ import annotations

from typing import Protocol

from graph_compiler.nodes.runtime import NodeRuntime


class Runtime(NodeRuntime, Protocol):
    """A `NodeRuntime` whose nodes can be stopped. `emit` appends `Emitted` to the journal, in the node's thread."""

    def cancel(self) -> None:
        """End what nodes are doing in the world: each of them raises `NodeError` canceled, now and until `rearm`.

        Returns at once; called by the engine's thread.
        """

    def rearm(self) -> None:
        """From here on nodes may reach the world again: what runs last follows. None runs at this moment."""
