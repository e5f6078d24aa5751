"""One stream of one run: where it stands, what it wants, and why it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_api.following.batch import Batch
from stream_api.following.filters import EventFilter

if TYPE_CHECKING:
    from stream_api.following.tail import Tail


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a stream ends before the final event. `reason` is for programs, `detail` for people."""

    reason: str
    detail: str


STOPPING = Ending("stopping", "This server is stopping; come back with your cursor.")
PURGED = Ending("purged", "The run and its events were deleted.")
LEFT = Ending("left", "The client left.")


class Follower:
    """Reads a tail from its own cursor. Made by `Hub.follow`."""

    __slots__ = ("_tail", "_waiter", "cursor", "ending", "wanted")

    def __init__(self, tail: Tail, cursor: int, wanted: EventFilter) -> None:
        self._tail = tail
        self._waiter: asyncio.Future[None] | None = None
        self.cursor = cursor
        self.wanted = wanted
        self.ending: Ending | None = None

    @property
    def run_id(self) -> str:
        return self._tail.run_id

    @property
    def lag(self) -> int:
        """How many events the process knows that this follower was not given yet."""
        return max(0, self._tail.end - self.cursor)

    async def next(self) -> Batch | None:
        """The next events, as soon as there are any; None when woken without any, or at the end: see `ending`.

        The final event's batch is the last one; do not ask again. Raises whatever made reading impossible.
        """
        if self.ending is not None:
            return None
        batch = await self._tail.read(self)
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
