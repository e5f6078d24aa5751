"""Which runs are followed in this process, and the tail each set of followers shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stream_api.following.ending import STOPPING
from stream_api.following.event_log import EventReader
from stream_api.following.filters import OPEN, EventFilter
from stream_api.following.follower import Follower
from stream_api.following.measures import Measures
from stream_api.following.tail import REREAD, Tail

Overheard = Callable[[str | None, int], None]
"""Called with a run and the seq of its last event; with None for the run when notifications may have been missed."""


class Hub:
    """Passes wake-ups to the followers of a run. Holds one tail per followed run and nothing per event."""

    def __init__(self, reader: EventReader, measures: Measures | None = None, *, reread: float = REREAD) -> None:
        self._reader = reader
        self._measures = measures or Measures()
        self._reread = reread
        self._tails: dict[str, Tail] = {}
        self._overhearing: set[Overheard] = set()
        self._closed = False

    @property
    def followers(self) -> int:
        """How many streams are open now."""
        return sum(len(tail.followers) for tail in self._tails.values())

    @property
    def followed_runs(self) -> int:
        """How many runs these streams belong to."""
        return len(self._tails)

    @property
    def largest_lag(self) -> int:
        """How many events the process knows that the slowest follower was not given yet."""
        return max((follower.lag for tail in self._tails.values() for follower in tail.followers), default=0)

    @contextmanager
    def follow(self, run_id: str, after: int, wanted: EventFilter = OPEN) -> Iterator[Follower]:
        """A follower of the events with `seq` > `after`, subscribed from now on."""
        tail = self._tails.get(run_id)
        if tail is None:
            tail = self._tails[run_id] = Tail(run_id, self._reader, self._measures, reread=self._reread)
        follower = Follower(tail, after, wanted)
        tail.followers.add(follower)
        if self._closed:
            follower.end(STOPPING)
        try:
            yield follower
        finally:
            tail.followers.discard(follower)
            if not tail.followers:
                tail.close()
                del self._tails[run_id]

    @contextmanager
    def overheard(self, call: Overheard) -> Iterator[None]:
        """`call` is called for the events of every run; the first has seq 1 and says that the run was accepted."""
        self._overhearing.add(call)
        try:
            yield
        finally:
            self._overhearing.discard(call)

    def notify(self, payload: str) -> None:
        """A notification of the events channel, `<run_id>:<last seq>`; one of another form wakes everybody."""
        run_id, _, seq = payload.rpartition(":")
        if not seq.isdecimal():
            self.wake_all()
            return
        if run_id in self._tails:
            self._tails[run_id].wake(int(seq))
        self._pass_on(run_id, int(seq))

    def wake_all(self) -> None:
        """Notifications may have been missed: every followed run is looked at again."""
        for tail in self._tails.values():
            tail.wake()
        self._pass_on(None, 0)

    def pulse(self) -> None:
        """Wake every follower, so that those who had nothing to send for long can say that they are alive."""
        for tail in self._tails.values():
            for follower in tail.followers:
                follower.wake()

    def close(self) -> None:
        """End every stream at its present cursor, those of now and those to come."""
        self._closed = True
        for tail in list(self._tails.values()):
            tail.close()
        self._pass_on(None, 0)

    def _pass_on(self, run_id: str | None, seq: int) -> None:
        for call in tuple(self._overhearing):
            call(run_id, seq)
