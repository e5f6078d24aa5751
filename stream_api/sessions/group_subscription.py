"""A subscription to all runs of a graph or of a user: those that go on, and those that come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from platform_core.database.engine import Connection
from platform_core.errors import Unavailable
from stream_api.following.backoff import Backoff
from stream_api.following.filters import EventFilter
from stream_api.following.follower import Ending
from stream_api.following.hub import Hub
from stream_api.sessions.messages import Position
from stream_api.sessions.run_group import RunGroup
from stream_api.sessions.subscription import FINAL, Outlet

MOST_AT_ONCE = 100
"""Runs of one subscription that are followed at the same time; more wait, and lose nothing but time."""

POSITION_SECONDS = 1.0

Read = Callable[[Callable[[Connection], list[tuple[str, int]]]], Awaitable[list[tuple[str, int]]]]

Hold = Callable[[Callable[[Ending], None]], AbstractContextManager[None]]
"""Holds the right to follow; calls back when it is lost."""


class GroupSubscription:
    """Follows each run from its beginning to its final event, several at once. It ends only with the right to it."""

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
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._news = asyncio.Event()
        self._ending: Ending | None = None
        self._position: str | None = None

    @property
    def cursor(self) -> str | None:
        return self._group.cursor

    def _end(self, ending: Ending) -> None:
        self._ending = ending
        self._news.set()

    async def run(self) -> Ending:
        """Until the right is lost, or until cancelled."""
        with self._hold(self._end), self._hub.told_of_new_runs(self._news.set):
            self._news.set()
            return await self._follow_all()

    async def _follow_all(self) -> Ending:
        tasks: set[asyncio.Task[None]] = set()
        try:
            while self._ending is None:
                if self._news.is_set():
                    self._news.clear()
                    for run_id, after in await self._find():
                        task = asyncio.create_task(self._follow_one(run_id, after))
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                await self._tell_position()
                await self._wait_for_news()
            return self._ending
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _find(self) -> list[tuple[str, int]]:
        backoff = Backoff()
        while True:
            try:
                return await self._read(self._group.find)
            except Unavailable:
                await asyncio.sleep(backoff.next_delay())

    async def _follow_one(self, run_id: str, after: int) -> None:
        async with self._places:
            with self._hub.follow(run_id, after, self._wanted) as follower:
                ending = await self.outlet.forward(follower, lambda seq: self._group.moved(run_id, seq))
                if ending is FINAL or ending.reason == "purged":
                    self._group.ended(run_id)

    async def _tell_position(self) -> None:
        position = self._group.cursor
        if position != self._position:
            self._position = position
            assert self.outlet.label is not None
            await self._say(Position(id=self.outlet.label, cursor=position))

    async def _wait_for_news(self) -> None:
        try:
            async with asyncio.timeout(POSITION_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return
