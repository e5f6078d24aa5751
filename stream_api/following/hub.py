"""Which runs are followed in this process, and the tail each set of followers shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stream_api.following.event_log import EventReader
from stream_api.following.filters import OPEN, EventFilter
from stream_api.following.follower import STOPPING, Follower
from stream_api.following.measures import Measures
from stream_api.following.tail import REREAD, Tail


class Hub:
    """Passes wake-ups to the followers of a run. Holds one tail per followed run and nothing per event."""

    def __init__(self, reader: EventReader, measures: Measures | None = None, *, reread: float = REREAD) -> None:
        self._reader = reader
        self._measures = measures or Measures()
        self._reread = reread
        self._tails: dict[str, Tail] = {}
        self._on_new_run: set[Callable[[], None]] = set()
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
        """How many events the slowest follower is behind what the process knows."""
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
    def told_of_new_runs(self, call: Callable[[], None]) -> Iterator[None]:
        """`call` is called when a run was accepted, or may have been."""
        self._on_new_run.add(call)
        try:
            yield
        finally:
            self._on_new_run.discard(call)

    def notify(self, payload: str) -> None:
        """A notification of the events channel, `<run_id>:<last seq>`; one of another form wakes everybody."""
        run_id, _, seq = payload.rpartition(":")
        if not seq.isdecimal():
            self.wake_all()
            return
        if run_id in self._tails:
            self._tails[run_id].wake(int(seq))
        if seq == "1":
            self._tell_of_new_run()

    def wake_all(self) -> None:
        """Notifications may have been missed: every followed run is looked at again."""
        for tail in self._tails.values():
            tail.wake()
        self._tell_of_new_run()

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
        self._tell_of_new_run()

    def _tell_of_new_run(self) -> None:
        for call in tuple(self._on_new_run):
            call()
