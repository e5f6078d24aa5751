"""What a run may say: so much a second, so much in all. What is dropped is counted, and a `truncated` event tells it.

Progress is not dropped but thinned: of several in a tenth of a second the newest counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from definitions.instance.run_events import NewEvent

EVENTS_PER_SECOND = 500.0
BURST = 2000.0
EVENTS_PER_RUN = 100_000
CHARACTERS_PER_RUN = 64 * 1024 * 1024
PROGRESS_SECONDS = 0.1
TOLD_EVERY = 1.0

LIMITED = frozenset({"stdout", "stderr", "log", "node.output"})

_Place = tuple[str | None, int | None]


@dataclass
class _Dropped:
    """What was dropped of one type at one place since it was last told."""

    limit: str
    since: float
    events: int = 0
    characters: int = 0


@dataclass
class _Thinned:
    """The progress of one place: when it was last shown, and a newer one that waits."""

    shown: float
    waiting: NewEvent | None = field(default=None)


class OutputLimits:
    """Decides which events of one run are written. Safe from any thread; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._room = BURST
        self._filled = clock()
        self._events_left = EVENTS_PER_RUN
        self._characters_left = CHARACTERS_PER_RUN
        self._dropped: dict[tuple[str, _Place], _Dropped] = {}
        self._progress: dict[_Place, _Thinned] = {}

    def pass_on(self, event: NewEvent, size: int) -> list[NewEvent]:
        """What is to be written now because of this event; `size` is the number of its characters."""
        with self._lock:
            if event.type == "node.progress":
                return self._thin(event)
            if event.type not in LIMITED:
                return [event]
            return self._count(event, size)

    def flush(self, node: str | None = None) -> list[NewEvent]:
        """What is still to be told of a node, or of all, at its end."""
        with self._lock:
            waiting = [
                thinned.waiting
                for place, thinned in self._progress.items()
                if thinned.waiting is not None and node in (None, place[0])
            ]
            for thinned in self._progress.values():
                if thinned.waiting in waiting:
                    thinned.waiting = None
            keys = [key for key in self._dropped if node in (None, key[1][0])]
            return [*waiting, *(self._tell(key) for key in keys)]

    def _thin(self, event: NewEvent) -> list[NewEvent]:
        now = self._clock()
        thinned = self._progress.setdefault((event.node, event.item), _Thinned(now - PROGRESS_SECONDS))
        if now - thinned.shown < PROGRESS_SECONDS:
            thinned.waiting = event
            return []
        thinned.shown, thinned.waiting = now, None
        return [event]

    def _count(self, event: NewEvent, size: int) -> list[NewEvent]:
        key = (event.type, (event.node, event.item))
        limit = self._limit(size)
        if limit is not None:
            return list(self._drop(key, limit, size))
        self._room -= 1
        self._events_left -= 1
        self._characters_left -= size
        return [self._tell(key), event] if key in self._dropped else [event]

    def _limit(self, size: int) -> str | None:
        now = self._clock()
        self._room = min(BURST, self._room + (now - self._filled) * EVENTS_PER_SECOND)
        self._filled = now
        if self._events_left < 1 or self._characters_left < size:
            return "run"
        return None if self._room >= 1 else "second"

    def _drop(self, key: tuple[str, _Place], limit: str, size: int) -> Iterator[NewEvent]:
        now = self._clock()
        dropped = self._dropped.setdefault(key, _Dropped(limit, now))
        dropped.events += 1
        dropped.characters += size
        if now - dropped.since >= TOLD_EVERY:
            yield self._tell(key)

    def _tell(self, key: tuple[str, _Place]) -> NewEvent:
        kind, (node, item) = key
        dropped = self._dropped.pop(key)
        what = {"second": f"{EVENTS_PER_SECOND:g} a second", "run": f"{EVENTS_PER_RUN} events or 64 MiB in a run"}
        return NewEvent(
            time.time(),
            "truncated",
            f"{dropped.events} events of type {kind} were dropped: the limit is {what[dropped.limit]}.",
            node,
            item,
            "warning",
            {"of": kind, "limit": dropped.limit, "events": dropped.events, "characters": dropped.characters},
        )
