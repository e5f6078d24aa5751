"""The runs of a graph or a user as they come: which are followed, how far each was sent, and the cursor of it all."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any

import orjson

from platform_core.database.engine import Connection
from platform_core.errors import BadCursor
from platform_core.runs.run_store import RunOrigin, present_time, runs_since

OVERLAP = timedelta(seconds=10)
"""A run is dated before it is committed, so one that is younger than this may appear behind one that is seen."""

PAGE = 500


class RunGroup:
    """Where a subscription to many runs stands. Its methods that take a connection block."""

    def __init__(self, *, graph_id: str | None = None, owner_id: str | None = None, cursor: str | None = None) -> None:
        """Raises `BadCursor`."""
        self._condition = {"graph_id": graph_id, "owner_id": owner_id}
        self._since: datetime | None = None
        self._has_begun = False
        self._open: dict[str, int] = {}
        self._ended: dict[str, datetime] = {}
        self._dates: dict[str, datetime] = {}
        if cursor is not None:
            self._restore(cursor)

    def find(self, connection: Connection) -> list[tuple[str, int]]:
        """Runs to follow that were not named before, the oldest first, each with the seq behind which to begin."""
        if not self._has_begun:
            self._has_begun = True
            if self._since is None:
                self._since = present_time(connection)
                self._add(runs_since(connection, since=None, limit=PAGE, **self._condition))
            self._find_new(connection)
            return list(self._open.items())
        return [(run_id, 0) for run_id in self._find_new(connection)]

    def _find_new(self, connection: Connection) -> list[str]:
        assert self._since is not None
        new: list[str] = []
        after = self._since - OVERLAP
        while True:
            found = runs_since(connection, since=after, limit=PAGE, **self._condition)
            new += self._add(found)
            if len(found) < PAGE:
                break
            after = found[-1].created_at - timedelta(microseconds=1)
        oldest = self._since - OVERLAP
        self._ended = {run_id: date for run_id, date in self._ended.items() if date > oldest}
        return new

    def moved(self, run_id: str, seq: int) -> None:
        """All events of the run up to this one were sent."""
        self._open[run_id] = seq

    def ended(self, run_id: str) -> None:
        """The run's final event was sent, or it is no longer there."""
        del self._open[run_id]
        self._ended[run_id] = self._dates.pop(run_id)

    @property
    def cursor(self) -> str:
        """Everything before this was sent; empty before the first look."""
        if self._since is None:
            return ""
        state = [
            self._since.isoformat(),
            [[run_id, seq, self._dates[run_id].isoformat()] for run_id, seq in self._open.items()],
            [[run_id, date.isoformat()] for run_id, date in self._ended.items()],
        ]
        return base64.urlsafe_b64encode(orjson.dumps(state)).decode()

    def _add(self, found: list[RunOrigin]) -> list[str]:
        new = [run for run in found if run.run_id not in self._open and run.run_id not in self._ended]
        for run in new:
            self._open[run.run_id] = 0
            self._dates[run.run_id] = run.created_at
        if found and (self._since is None or found[-1].created_at > self._since):
            self._since = found[-1].created_at
        return [run.run_id for run in new]

    def _restore(self, cursor: str) -> None:
        try:
            state: Any = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
            since, opened, ended = state
            self._since = _date(since)
            for run_id, seq, date in opened:
                self._open[str(run_id)] = int(seq)
                self._dates[str(run_id)] = _date(date)
            self._ended = {str(run_id): _date(date) for run_id, date in ended}
        except (ValueError, TypeError, binascii.Error):
            raise BadCursor("The cursor is not one of ours; take it from `position` or `going_away`.") from None


def _date(text: Any) -> datetime:
    date = datetime.fromisoformat(text)
    if date.tzinfo is None:
        raise ValueError("a time without its zone")
    return date
