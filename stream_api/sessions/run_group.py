"""The runs of a graph or a user as they come: which are open, how far each was sent, and the cursor of it all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from platform_core.database.engine import Connection
from platform_core.errors import BadCursor
from platform_core.runs.run_store import RunStanding, present_time, runs_among, runs_since, unended_runs
from stream_api.sessions import group_cursor
from stream_api.sessions.group_cursor import GroupPlace

OVERLAP = timedelta(seconds=10)
"""A run is dated before it is committed, so one that is younger than this may appear after one that is seen."""

Find = Callable[[Connection], "Found"]


@dataclass(slots=True)
class OpenRun:
    """A run whose final event was not sent: all up to `sent` was, and the run has events up to `known` at least."""

    created_at: datetime
    sent: int
    known: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the database found; `asked` are the runs it asked about by name, of which `named` are there."""

    now: datetime
    new: list[RunStanding]
    asked: list[str]
    named: list[RunStanding]


class RunGroup:
    """Where a subscription to many runs stands.

    A look at the database is `look`, which may run in a thread, and `take`, which may not: events are sent meanwhile.
    """

    def __init__(self, *, graph_id: str | None = None, owner_id: str | None = None, cursor: str | None = None) -> None:
        """Raises `BadCursor`."""
        self._condition = {"graph_id": graph_id, "owner_id": owner_id}
        place = None if cursor is None else group_cursor.decode(cursor)
        self._since = None if place is None else place.since
        self._resumed = {} if place is None else place.sent
        self._ended = {} if place is None else place.ended
        self._open: dict[str, OpenRun] = {}
        self._has_begun = False

    def look(self, *, thoroughly: bool) -> Find:
        """A question for the database: which runs are new, and thoroughly also how far those stand that are open.

        The first look is thorough in any case.
        """
        condition, since = self._condition, self._since
        asked = list(self._resumed) + (list(self._open) if thoroughly else [])

        def find(connection: Connection) -> Found:
            now = present_time(connection)
            unended = unended_runs(connection, **condition) if since is None else []
            new = runs_since(connection, (since or now) - OVERLAP, **condition)
            return Found(now, unended + new, asked, runs_among(connection, asked, **condition) if asked else [])

        return find

    def take(self, found: Found) -> None:
        """Take in what a look found. Raises `BadCursor` when the cursor lies ahead of what it names."""
        if not self._has_begun:
            self._resume(found)
        self._take_named(found)
        for run in found.new:
            if run.run_id in self._open:
                self.heard(run.run_id, run.last_seq)
            elif run.run_id not in self._ended:
                self._open[run.run_id] = OpenRun(run.created_at, 0, run.last_seq)
        newest = max((run.created_at for run in found.new), default=found.now if self._since is None else self._since)
        self._since = newest if self._since is None else max(self._since, newest)
        oldest = self._since - OVERLAP
        self._ended = {run_id: date for run_id, date in self._ended.items() if date > oldest}

    def _resume(self, found: Found) -> None:
        self._has_begun = True
        if self._since is not None and self._since > found.now + OVERLAP:
            raise BadCursor("The cursor lies in the future.")
        for run in found.named:
            sent = self._resumed[run.run_id]
            if sent > run.last_seq:
                raise BadCursor(f"The cursor lies ahead of run {run.run_id}, whose last event is {run.last_seq}.")
            self._open[run.run_id] = OpenRun(run.created_at, sent, run.last_seq)
        self._resumed = {}

    def _take_named(self, found: Found) -> None:
        for run in found.named:
            self.heard(run.run_id, run.last_seq)
        for run_id in set(found.asked) - {run.run_id for run in found.named}:
            self._open.pop(run_id, None)

    def heard(self, run_id: str, seq: int) -> bool:
        """The run has events up to this one. Whether that is an open run of the group with more than was sent."""
        run = self._open.get(run_id)
        if run is None:
            return False
        run.known = max(run.known, seq)
        return run.known > run.sent

    def unsent(self) -> Iterator[str]:
        """Open runs with more than was sent: first those that were begun, then those that only wait in the queue."""
        waiting = [run_id for run_id, run in self._open.items() if run.known > run.sent]
        return iter(sorted(waiting, key=lambda run_id: self._open[run_id].known == 1))

    def is_open(self, run_id: str) -> bool:
        """Whether the run is one of the group, and its final event was not sent."""
        return run_id in self._open

    def is_unsent(self, run_id: str) -> bool:
        """Whether the run is open and has more than was sent."""
        run = self._open.get(run_id)
        return run is not None and run.known > run.sent

    def sent(self, run_id: str) -> int:
        """The seq up to which all events of an open run were sent."""
        return self._open[run_id].sent

    def moved(self, run_id: str, seq: int) -> None:
        """All events of the run up to this one were sent."""
        run = self._open.get(run_id)
        if run is not None:
            run.sent = seq

    def ended(self, run_id: str) -> None:
        """The run's final event was sent, or it is no longer there."""
        run = self._open.pop(run_id, None)
        # An older one is not found again, so nobody has to know that it was here.
        if run is not None and (self._since is None or run.created_at > self._since - OVERLAP):
            self._ended[run_id] = run.created_at

    @property
    def cursor(self) -> str | None:
        """Everything before this was sent; None before the first look, and when it would be larger than a message."""
        if self._since is None:
            return None
        sent = {run_id: run.sent for run_id, run in self._open.items()}
        return group_cursor.encode(GroupPlace(self._since, self._resumed | sent, self._ended))
