"""The events of a run as its followers would see them, of what its journal has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from graph_engine.journal import records
from graph_engine.journal.records import Record
from headrace_cli.graph_tests.stand_ins import NO_STAND_IN


class NodeEvent(NamedTuple):
    """An event of a node, or of an item of it."""

    type: str
    node: str | None
    item: int | None
    message: str


def node_events(reported: Iterable[Record]) -> Iterator[NodeEvent]:
    """The events that nodes have, in their order."""
    for record in reported:
        match record:
            case records.Began(place=place, item=item):
                yield NodeEvent("node.started", place.name, item, f"{place.name} started.")
            case records.Retrying(place=place, item=item, error=error):
                yield NodeEvent("node.retrying", place.name, item, error["message"])
            case records.Succeeded(place=place, item=item):
                yield NodeEvent("node.succeeded", place.name, item, f"{place.name} succeeded.")
            case records.Skipped(place=place):
                yield NodeEvent("node.skipped", place.name, None, f"{place.name} was skipped.")
            case records.Failed(place=place, item=item, error=error):
                yield NodeEvent("node.failed", place.name, item, error["message"])
            case records.Emitted(type=type, node=node, item=item, message=message):
                yield NodeEvent(type, node, item, message)


def refusals(reported: Iterable[Record]) -> dict[str, str]:
    """What each node was refused that reached for the world, whatever the graph made of that."""
    found: dict[str, str] = {}
    for record in reported:
        if isinstance(record, records.Failed) and record.error["kind"] == NO_STAND_IN:
            found.setdefault(record.place.name, record.error["message"])
    return found
