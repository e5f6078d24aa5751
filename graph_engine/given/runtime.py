"""What the engine asks of the runtime beyond what nodes do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from graph_compiler.nodes.asking import Answer
from graph_compiler.nodes.runtime import NodeRuntime


class Runtime(NodeRuntime, Protocol):
    """A `NodeRuntime` whose nodes can be stopped. `emit` appends `Emitted` to the journal, in the node's thread."""

    def new_address(self) -> str:
        """A URL that nobody can guess, at which one event of this run is reported."""

    def answers(self, keys: Sequence[str]) -> Mapping[str, Answer]:
        """What those of the steps (`Place.key`) that wait have been answered, again and again."""

    def close(self, key: str) -> Answer | None:
        """From now on no answer for the step is taken; the one that came before, if one did. Harmless twice."""

    def cancel(self) -> None:
        """End what nodes are doing in the world: each of them raises `NodeError` canceled, now and until `rearm`.

        Returns at once; called by the engine's thread.
        """

    def rearm(self) -> None:
        """From here on nodes may reach the world again: what runs last follows. None runs at this moment."""
