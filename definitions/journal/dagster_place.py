"""What a place of the engine is in Dagster's plan: one step, several, or nothing."""

from __future__ import annotations

from graph_compiler.running.naming import OUTPUTS_OP, PARAMS_OP, collect_name, dagster_name, expand_name, step_key
from graph_compiler.running.plan import PlannedNode
from graph_engine.journal.place import Place

TURNS = ("turn0_", "turn1_")
"""Under which the outputs of turns of a `repeat` are kept in turn: those of the last two."""


class DagsterPlace:
    """Step keys of a place."""

    __slots__ = ("first", "is_awaited", "is_call", "is_each", "is_step", "items_fail", "key", "last", "name", "turn")

    def __init__(self, node: PlannedNode, name: str, key: str, *, is_step: bool, turn: int | None = None) -> None:
        spec = node.spec
        self.name = name
        self.is_step = is_step
        self.key = step_key(name) if is_step else key
        """Under which its values are kept: the step's key, or that of the place."""
        self.turn = turn
        self.is_each = spec.foreach is not None
        self.is_call = node.called is not None
        self.is_awaited = node.is_awaited
        self.items_fail = spec.on_error == "fail" and spec.on_item_error != "collect"
        """Whether the failure of an item is that of its step."""
        self.first = self.last = self.key
        if is_step and self.is_each:
            outer = self.key[: self.key.rfind(".") + 1]
            self.first, self.last = outer + expand_name(spec.id), outer + collect_name(spec.id)
        elif is_step and self.is_call:
            self.first, self.last = f"{self.key}.{PARAMS_OP}", f"{self.key}.{OUTPUTS_OP}"

    @classmethod
    def within(cls, node: PlannedNode, name: str) -> DagsterPlace:
        """Of a step, by its name alone."""
        return cls(node, name, name, is_step=True)

    def at(self, item: int | None) -> str:
        """The key of an item; without one, that of the place."""
        return self.key if item is None else f"{self.key}[{item}]"

    def turns(self) -> tuple[str, str]:
        """Of a turn: step and port under which its outputs are kept."""
        assert self.turn is not None
        node = self.key.rpartition("#")[0]
        return node if "/" in node or "[" in node else dagster_name(node), TURNS[self.turn % 2]

    def start(self, item: int | None) -> str:
        """The step that the beginning of the place, or of one of its items, is."""
        return self.first if item is None else f"{self.key}[{item}]"


def dagster_place(place: Place) -> DagsterPlace:
    """What the place is; kept with it, since that is the same in each run of the plan."""
    if place.memo is None:
        is_step = place.turn is None and _is_step(place)
        place.memo = DagsterPlace(place.node, place.name, place.key, is_step=is_step, turn=place.turn)
    found: DagsterPlace = place.memo
    return found


def _is_step(place: Place) -> bool:
    outer = place.outer
    while outer is not None:
        if outer.node.called is None:
            return False
        outer = outer.outer
    return True
