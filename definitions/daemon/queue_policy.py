"""Whose turn it is: priority, then fairness between owners, then age, within all limits. Pure (docs/adr/0022)."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from platform_core.runs.queue_store import Load, WaitingRun

GraphVersion = tuple[str, int]


@dataclass(frozen=True)
class Limits:
    """How many runs may be executed at once: of all, of an owner who has no limit of their own, of a graph."""

    runs: int
    owner: int | None
    graphs: Mapping[GraphVersion, int]
    """By graph version; a version without one is not limited."""

    def of_owner(self, run: WaitingRun) -> int:
        limit = run.owner_limit if run.owner_limit is not None else self.owner
        return self.runs if limit is None else limit

    def of_graph(self, run: WaitingRun) -> int:
        return self.graphs.get((run.graph_id, run.version), self.runs)


def choose(waiting: Iterable[WaitingRun], load: Load, limits: Limits) -> list[WaitingRun]:
    """The runs that begin now, in order.

    The highest priority goes first. Within a priority the owner with the fewest runs goes first, those just chosen
    included; between owners with equally many, the oldest run. A run that its graph's or owner's limit holds back
    lets the others pass.
    """
    turns = _Turns(load, limits)
    classes: defaultdict[int, list[WaitingRun]] = defaultdict(list)
    for run in waiting:
        classes[run.priority].append(run)
    for priority in sorted(classes, reverse=True):
        turns.take(classes[priority])
    return turns.chosen


class _Turns:
    """Takes runs of one priority after the other."""

    def __init__(self, load: Load, limits: Limits) -> None:
        self.chosen: list[WaitingRun] = []
        self._limits = limits
        self._free = limits.runs - load.runs
        self._owners = Counter(load.owners)
        self._graphs = Counter(load.graphs)

    def take(self, runs: Iterable[WaitingRun]) -> None:
        queues: defaultdict[str, deque[WaitingRun]] = defaultdict(deque)
        for run in sorted(runs, key=_age):
            queues[run.owner_id].append(run)
        heads: list[tuple[int, tuple[datetime, str], str]] = []
        for owner in queues:
            self._line_up(heads, owner, queues[owner])
        while heads and self._free > 0:
            _, _, owner = heapq.heappop(heads)
            run = queues[owner].popleft()
            self.chosen.append(run)
            self._free -= 1
            self._owners[owner] += 1
            self._graphs[run.graph_id] += not run.is_woken
            self._line_up(heads, owner, queues[owner])

    def _line_up(
        self, heads: list[tuple[int, tuple[datetime, str], str]], owner: str, queue: deque[WaitingRun]
    ) -> None:
        """Put the owner's next run that may begin at the head. What is held back now stays so in this round."""
        while queue and self._is_held_back(queue[0]):
            queue.popleft()
        if queue and self._owners[owner] < self._limits.of_owner(queue[0]):
            heapq.heappush(heads, (self._owners[owner], _age(queue[0]), owner))

    def _is_held_back(self, run: WaitingRun) -> bool:
        """By its graph's limit, for which a run counts from its beginning to its end, also while it waits."""
        return not run.is_woken and self._graphs[run.graph_id] >= self._limits.of_graph(run)


def _age(run: WaitingRun) -> tuple[datetime, str]:
    return run.created_at, run.run_id
