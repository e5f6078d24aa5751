"""One stream of one run: where it stands, what it wants, and why it ends."""

from __future__ import annotations

import asyncio
from typing import Protocol

from stream_api.following.batch import Batch
from stream_api.following.ending import Ending
from stream_api.following.filters import EventFilter


class Source(Protocol):
    """The events of one run, as a tail gives them."""

    @property
    def run_id(self) -> str: ...

    @property
    def end(self) -> int:
        """The seq of the last event that the process knows."""

    async def read(self, follower: Follower) -> Batch | None:
        """The next events after the follower's cursor; None when it was woken and there are none."""
        ...


class Follower:
    """Reads a source from its own cursor. Made by `Hub.follow`."""

    __slots__ = ("_source", "_waiter", "cursor", "ending", "wanted")

    def __init__(self, source: Source, cursor: int, wanted: EventFilter) -> None:
        self._source = source
        self._waiter: asyncio.Future[None] | None = None
        self.cursor = cursor
        self.wanted = wanted
        self.ending: Ending | None = None

    @property
    def run_id(self) -> str:
        return self._source.run_id

    @property
    def lag(self) -> int:
        """How many events the process knows that this follower was not given yet."""
        return max(0, self._source.end - self.cursor)

    async def next(self) -> Batch | None:
        """The next events, as soon as there are any; None when woken without any, or at the end: see `ending`.

        The final event's batch is the last one; do not ask again.
        """
        if self.ending is not None:
            return None
        batch = await self._source.read(self)
        if batch is not None:
            self.cursor = batch.end
        return batch

    def end(self, ending: Ending) -> None:
        """Let `next` return None from now on; the first ending counts."""
        if self.ending is None:
            self.ending = ending
        self.wake()

    def wake(self) -> None:
        """Let a `next` that waits return or look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Wait until woken."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
