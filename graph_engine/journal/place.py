"""Where a node stands: in the run's own graph, or in one that a call opened."""

from __future__ import annotations

from typing import Any

from graph_compiler.running.plan import PlannedNode


def turn_key(key: str, turn: int) -> str:
    """The key of a turn of the node with this key."""
    return f"{key}#{turn}"


class Place:
    """A node in a run. `name` is what events, errors and filters call it; `key` names it in the journal.

    Both are the way to it: `call[2]/inner`, and of the sixth turn of a `repeat` `poll#5`. The key also tells the
    attempt of each call on that way from the second on (`call[2]~2/inner`), so what an earlier attempt left is never
    taken for that of a later one.
    """

    __slots__ = ("key", "memo", "name", "node", "outer", "turn")

    def __init__(self, node: PlannedNode, name: str, key: str, outer: Place | None, turn: int | None = None) -> None:
        self.node = node
        self.name = name
        self.key = key
        self.outer = outer
        """The call that it stands in; None in the run's own graph."""
        self.turn = turn
        """Which turn of a `repeat` it is; None for the node itself."""
        self.memo: Any = None
        """The journal's own, to keep with the place what all its records share. The engine never looks at it.

        Places are shared by all runs of a plan in a process, so it must not depend on the run.
        """

    def at_turn(self, turn: int) -> Place:
        """The place of a turn of this node."""
        return Place(self.node, f"{self.name}#{turn}", turn_key(self.key, turn), self.outer, turn)

    def __repr__(self) -> str:
        return f"Place({self.key})"
