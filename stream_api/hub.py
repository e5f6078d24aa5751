"""Which runs are followed in this process, and the tail each set of followers shares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stream_api.event_log import EventReader
from stream_api.tail import REREAD, Tail


class Hub:
    """Passes wake-ups to the followers of a run. Holds one tail per followed run and nothing per follower."""

    def __init__(self, reader: EventReader, *, reread: float = REREAD) -> None:
        self._reader = reader
        self._reread = reread
        self._tails: dict[str, tuple[Tail, int]] = {}
        self._closed = False

    @property
    def followers(self) -> int:
        """How many streams are open now."""
        return sum(count for _, count in self._tails.values())

    @property
    def followed_runs(self) -> int:
        """How many runs these streams belong to."""
        return len(self._tails)

    @contextmanager
    def watch(self, run_id: str) -> Iterator[Tail]:
        """The tail of the run, woken from now on; released with its last follower."""
        tail, count = self._tails.get(run_id) or (Tail(run_id, self._reader, reread=self._reread), 0)
        if self._closed:
            tail.close()
        self._tails[run_id] = (tail, count + 1)
        try:
            yield tail
        finally:
            self._leave(run_id)

    def _leave(self, run_id: str) -> None:
        tail, count = self._tails.pop(run_id)
        if count > 1:
            self._tails[run_id] = (tail, count - 1)
        else:
            tail.close()

    def notify(self, payload: str) -> None:
        """A notification of the events channel, `<run_id>:<last seq>`; one of another form wakes everybody."""
        run_id, _, seq = payload.rpartition(":")
        if not seq.isdecimal():
            self.wake_all()
        elif run_id in self._tails:
            self._tails[run_id][0].wake(int(seq))

    def wake_all(self) -> None:
        """Notifications may have been missed: every followed run is looked at again."""
        for tail, _ in self._tails.values():
            tail.wake()

    def close(self) -> None:
        """End every stream at its present cursor, those of now and those to come."""
        self._closed = True
        for tail, _ in self._tails.values():
            tail.close()
