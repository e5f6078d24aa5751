"""What a follower wants of a run's events. The final event passes every filter: it says that all have been seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from platform_core.errors import BadFilter
from platform_core.runs.run_event_store import EVENT_TYPES
from stream_api.following.wire import WireEvent

LEVELS = ("debug", "info", "warning", "error")
MOST_VALUES = 200


@dataclass(frozen=True, slots=True)
class EventFilter:
    """None lets everything pass; `levels` are those at or above the level asked for."""

    types: frozenset[str] | None = None
    nodes: frozenset[str] | None = None
    levels: frozenset[str] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it lets every event pass."""
        return self.types is None and self.nodes is None and self.levels is None

    def passes(self, event: WireEvent) -> bool:
        """Whether the follower gets the event."""
        if event.is_final:
            return True
        return (
            (self.types is None or event.type in self.types)
            and (self.nodes is None or event.node in self.nodes)
            and (self.levels is None or event.level in self.levels)
        )


OPEN = EventFilter()


def parse_filter(
    types: Iterable[str] | None = None, nodes: Iterable[str] | None = None, level: str | None = None
) -> EventFilter:
    """A filter of names; each of `types` is an event type, or a group of them such as `node.*`.

    Raises `BadFilter` for a type or level that does not exist, so that a slip does not look like silence.
    """
    return EventFilter(
        None if types is None else _types(_bounded("types", types)),
        None if nodes is None else frozenset(_bounded("nodes", nodes)),
        None if level is None else _levels(level),
    )


def split(text: str | None) -> list[str] | None:
    """The names of a comma-separated query parameter; None if it was not given."""
    return None if text is None else [name for part in text.split(",") if (name := part.strip())]


def _bounded(name: str, values: Iterable[str]) -> list[str]:
    found = list(values)
    if not found or len(found) > MOST_VALUES:
        raise BadFilter(f"`{name}` names {len(found)} values; 1 to {MOST_VALUES} make a filter.")
    return found


def _types(names: list[str]) -> frozenset[str]:
    found: set[str] = set()
    for name in names:
        group = {kind for kind in EVENT_TYPES if name.endswith(".*") and kind.startswith(name[:-1])}
        if not group and name not in EVENT_TYPES:
            raise BadFilter(f"There are no events of type {name[:60]!r}; there are {', '.join(sorted(EVENT_TYPES))}.")
        found |= group or {name}
    return frozenset(found)


def _levels(name: str) -> frozenset[str]:
    if name not in LEVELS:
        raise BadFilter(f"There is no level {name[:60]!r}; there are {', '.join(LEVELS)}.")
    return frozenset(LEVELS[LEVELS.index(name) :])
