"""A subscription to all runs of a graph or of a user: those that go on, and those that come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from platform_core.backoff import Backoff
from platform_core.database.engine import Connection
from platform_core.errors import BadRequest, Unavailable
from stream_api.following.ending import FINAL, PURGED, STOPPING, YIELDED, Ending
from stream_api.following.filters import EventFilter
from stream_api.following.follower import Follower
from stream_api.following.hub import Hub
from stream_api.following.tail import REREAD
from stream_api.sessions.messages import Position
from stream_api.sessions.run_group import Found, RunGroup
from stream_api.sessions.subscription import Outlet

MOST_AT_ONCE = 100
"""Runs of one subscription that are followed at the same time; a run that has sent all it has gives up its place."""

POSITION_SECONDS = 1.0
POSITION_CHARACTERS = 64 * 1024
"""A cursor comes once in so many seconds for each so many characters it has."""

RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)

Read = Callable[[Callable[[Connection], Found]], Awaitable[Found]]

Hold = Callable[[Callable[[Ending], None]], AbstractContextManager[None]]
"""Holds the right to follow; calls back when it is lost."""


class GroupSubscription:
    """Follows each run from its beginning to its final event, several at once. It ends only with the right to it.

    A run that has events to send waits for a place; one that has sent all it has keeps its place only while nobody
    waits, so that runs which wait in the queue do not hide those which are executed.
    """

    def __init__(
        self,
        outlet: Outlet,
        hub: Hub,
        group: RunGroup,
        wanted: EventFilter,
        *,
        hold: Hold,
        read: Read,
        say: Callable[[Position], Awaitable[None]],
    ) -> None:
        self.outlet = outlet
        self._hold = hold
        self._hub = hub
        self._group = group
        self._wanted = wanted
        self._read = read
        self._say = say
        self._waiting: dict[str, None] = {}
        self._followed: dict[str, Follower | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._news = asyncio.Event()
        self._look_is_due = True
        self._next_thorough_look = 0.0
        self._ending: Ending | None = None
        self._position: str | None = None
        self._next_position = 0.0

    @property
    def cursor(self) -> str | None:
        return self._group.cursor

    async def run(self) -> Ending:
        """Until the right is lost, or until canceled."""
        with self._hold(self._end), self._hub.overheard(self._overhear):
            try:
                return await self._follow_all()
            except BadRequest as error:
                return Ending(error.code, error.detail)
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def _end(self, ending: Ending) -> None:
        self._ending = ending
        self._news.set()

    def _overhear(self, run_id: str | None, seq: int) -> None:
        if run_id is None:
            self._next_thorough_look = 0.0
            self._news.set()
        elif self._group.heard(run_id, seq):
            self._queue(run_id)
        elif seq == 1:
            self._look_is_due = True
            self._news.set()

    async def _follow_all(self) -> Ending:
        while self._ending is None:
            self._news.clear()
            await self._look()
            self._give_places()
            await self._tell_position()
            await self._wait_for_news()
            if self._failure is not None:
                raise self._failure
        return self._ending

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        is_thorough = now >= self._next_thorough_look
        if not is_thorough and not self._look_is_due:
            return
        self._look_is_due = False
        if is_thorough:
            # Also without a notification, should one have been lost.
            self._next_thorough_look = now + REREAD
        self._group.take(await self._find(is_thorough))
        for run_id in self._group.unsent():
            self._queue(run_id)
        for run_id, follower in self._followed.items():
            if follower is not None and not self._group.is_open(run_id):
                follower.end(PURGED)

    async def _find(self, is_thorough: bool) -> Found:
        backoff = Backoff()
        while True:
            try:
                return await self._read(self._group.look(thoroughly=is_thorough))
            except Unavailable:
                await asyncio.sleep(backoff.next_delay())

    def _queue(self, run_id: str) -> None:
        if run_id not in self._followed and run_id not in self._waiting:
            self._waiting[run_id] = None
            self._news.set()

    def _give_places(self) -> None:
        while self._waiting and len(self._followed) < MOST_AT_ONCE:
            run_id = next(iter(self._waiting))
            del self._waiting[run_id]
            if self._group.is_unsent(run_id):
                self._followed[run_id] = None
                task = asyncio.create_task(self._follow_one(run_id))
                self._tasks.add(task)
                task.add_done_callback(self._left)
        idle = (run_id for run_id in self._followed if not self._group.is_unsent(run_id))
        for _, run_id in zip(range(len(self._waiting)), list(idle), strict=False):
            follower = self._followed[run_id]
            if follower is not None:
                follower.end(YIELDED)

    async def _follow_one(self, run_id: str) -> None:
        group = self._group
        try:
            with self._hub.follow(run_id, group.sent(run_id), self._wanted) as follower:
                self._followed[run_id] = follower
                ending = await self.outlet.forward(follower, lambda seq: self._moved(run_id, seq))
        finally:
            del self._followed[run_id]
        if ending in (FINAL, PURGED):
            group.ended(run_id)
        elif ending is YIELDED and group.is_unsent(run_id):
            self._queue(run_id)
        elif ending not in (YIELDED, STOPPING):
            _log.warning("following run %s goes on in %g s: %s", run_id, RETRY_SECONDS, ending.detail)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._queue, run_id)

    def _moved(self, run_id: str, seq: int) -> None:
        self._group.moved(run_id, seq)
        if self._waiting and not self._group.is_unsent(run_id):
            self._news.set()

    def _left(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = task.exception()
        if self._waiting or self._failure is not None:
            self._news.set()

    async def _tell_position(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._next_position:
            return
        position = self._group.cursor
        if position is not None and position != self._position:
            self._position = position
            assert self.outlet.label is not None
            await self._say(Position(id=self.outlet.label, cursor=position))
        self._next_position = now + POSITION_SECONDS * (1 + len(position or "") // POSITION_CHARACTERS)

    async def _wait_for_news(self) -> None:
        try:
            async with asyncio.timeout(POSITION_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return
