"""Consecutive events of a run, encoded once for all followers that stand at the same place."""

from __future__ import annotations

from collections.abc import Sequence

from stream_api.following.filters import OPEN, EventFilter
from stream_api.following.wire import WireEvent


class Batch:
    """Events in order. `end` is the seq of the last one read, whether or not a filter lets it pass."""

    __slots__ = ("_frames", "_views", "end", "events", "is_final")

    def __init__(self, events: Sequence[WireEvent]) -> None:
        self.events = events
        self.end = events[-1].seq
        self.is_final = events[-1].is_final
        self._frames: dict[EventFilter, bytes] = {}
        self._views: dict[EventFilter, Sequence[WireEvent]] = {}

    def passing(self, wanted: EventFilter) -> Sequence[WireEvent]:
        """The events that pass the filter."""
        if wanted.is_open:
            return self.events
        view = self._views.get(wanted)
        if view is None:
            view = self._views[wanted] = [event for event in self.events if wanted.passes(event)]
        return view

    def frames(self, wanted: EventFilter = OPEN) -> bytes:
        """The Server-Sent Events of the events that pass; where the last does not pass, its id alone.

        A block with an id and no data raises no event, but a client that reconnects sends it: nobody has to read
        again what the filter left out.
        """
        frames = self._frames.get(wanted)
        if frames is None:
            passing = self.passing(wanted)
            frames = b"".join([event.frame for event in passing])
            if not passing or passing[-1].seq != self.end:
                frames += b"id: %d\n\n" % self.end
            self._frames[wanted] = frames
        return frames
