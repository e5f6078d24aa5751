"""One execution of a graph, the run's own or a called one, and the nodes in it that are on their way."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from graph_compiler.language.spec import PortRef
from graph_compiler.running.execution import Item, Scope
from graph_compiler.values.errors import NodeError
from graph_engine.journal.known import End
from graph_engine.journal.place import Place
from graph_engine.journal.records import Error, Status
from graph_engine.scope.index import PlanIndex
from graph_engine.scope.timers import Timer

NO_VALUES: Mapping[str, Any] = {}


class Phase(Enum):
    """Of a frame: its ordinary nodes run, then those that run last, then it is over."""

    MAIN = auto()
    LAST = auto()
    CLOSED = auto()


class Stop(NamedTuple):
    """Why a frame ends early: how it will have ended, and what its waiting nodes fail with."""

    status: Status
    error: Error
    raised: NodeError


class Blame(NamedTuple):
    """The failure that fails a frame: the error for who called it, and the first one that led to it."""

    error: NodeError
    cause: Error
    order: float = float("inf")
    """Of one that a journal tells of: which of several was first."""


class Frame:
    """The state of one graph: values at ports, what has ended, and how many tasks are on their way."""

    def __init__(self, index: PlanIndex, name: str, key: str, params: Mapping[str, Any], call: Task | None) -> None:
        self.index = index
        self.name = name
        self.key = key
        self.params = params
        self.call = call
        """The node that called it; None for the run itself."""
        self.values: dict[PortRef, Any] = {}
        self.ended: dict[str, End] = {}
        self.left = list(index.counts)
        self.armed: set[int] = set()
        """Nodes that wait, or have waited, at an address that was given to who needs no more of them."""
        self.active = 0
        """Nodes that were made ready and have not ended."""
        self.phase = Phase.MAIN
        self.stop: Stop | None = None
        self.is_cut = False
        """Whether what runs last has used up its time, too."""
        self.blame: Blame | None = None
        self.deadline: float | None = None
        self.timer: Timer | None = None
        self.waiting: dict[Task, None] = {}
        """Tasks that only wait for a time."""
        self.calls: dict[Frame, None] = {}

    @property
    def outer(self) -> Frame | None:
        return None if self.call is None else self.call.frame

    @property
    def refuses(self) -> bool:
        """Whether nothing new may begin in it now."""
        return self.is_cut or (self.stop is not None and self.phase is Phase.MAIN)

    def is_within(self, frame: Frame) -> bool:
        inner: Frame | None = self
        while inner is not None and inner is not frame:
            inner = inner.outer
        return inner is frame

    def accuse(self, blame: Blame) -> None:
        """The frame fails; the first failure counts."""
        if self.blame is None or blame.order < self.blame.order:
            self.blame = blame

    def outcome(self) -> Mapping[str, Any]:
        """`status` and `error` as a node that runs last sees them; nodes are named from within this graph."""
        if self.stop is not None:
            return {"status": self.stop.status, "error": self.stop.error}
        if self.blame is None:
            return {"status": "SUCCESS", "error": None}
        cause = dict(self.blame.cause)
        if self.name and cause["node"] is not None:
            cause["node"] = cause["node"].removeprefix(f"{self.name}/")
        return {"status": "FAILURE", "error": cause}


class Task:
    """A node on its way, from the moment that it is ready until it has ended, through all its attempts."""

    __slots__ = ("attempt", "frame", "inputs", "item", "node", "number", "place")

    def __init__(self, frame: Frame, number: int, place: Place, item: Item | None = None) -> None:
        self.frame = frame
        self.number = number
        self.place = place
        self.node = place.node
        self.item = item
        self.attempt = 1
        self.inputs = NO_VALUES

    @property
    def index(self) -> int | None:
        """Which item it is."""
        return None if self.item is None else self.item.index

    @property
    def is_part(self) -> bool:
        """Whether it is only an item of its node, or a turn."""
        return self.item is not None

    @property
    def is_foreach(self) -> bool:
        """Whether it stands for all items of a `foreach`, rather than for one of them."""
        return not self.is_part and self.node.spec.foreach is not None

    @property
    def is_repeat(self) -> bool:
        """Whether it stands for all turns of a `repeat`, rather than for one of them."""
        return not self.is_part and self.node.spec.repeat is not None

    @property
    def is_whole(self) -> bool:
        """Whether it is executed part by part."""
        return self.is_foreach or self.is_repeat

    def take_inputs(self) -> None:
        """The values that are at its input ports, in the order of its edges."""
        values = self.frame.values
        self.inputs = {port: values[source] for port, source in self.node.sources.items() if source in values}

    def scope(self) -> Scope:
        outcome = self.frame.outcome() if self.node.spec.finally_ else NO_VALUES
        return Scope(self.place.name, self.frame.params, outcome)


class Cut(NamedTuple):
    """The result of a node that failed since an item of it, or a node of the graph that it calls, did."""

    error: NodeError
    about: Mapping[str, Any]
    """What its own error says beside `kind`, `message` and `attempts`."""
    cause: Error
    is_tried_again: bool

    @classmethod
    def by_part(cls, error: NodeError, described: Error, cause: Error) -> Cut:
        """Of a node whose item, or turn, failed its last attempt."""
        about = {key: value for key, value in described.items() if key not in ("kind", "message")}
        return cls(error, about, cause, is_tried_again=False)


class Unwanted:
    """The result of a node whose `when` is false."""


UNWANTED = Unwanted()
Result = dict[str, Any] | Unwanted | Cut | NodeError
"""What became of one attempt: outputs by port, or else."""
