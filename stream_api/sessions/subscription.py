"""What a socket follows under one label: one run, or all runs of a graph or a user."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Protocol

from stream_api.following.filters import EventFilter
from stream_api.following.follower import Ending, Follower
from stream_api.following.measures import Sent
from stream_api.following.wire import WireEvent

FINAL = Ending("final", "The final event was sent.")
REQUESTED = Ending("requested", "The client unsubscribed.")

Follow = Callable[[str, int, EventFilter], AbstractContextManager[Follower]]
"""Follows a run behind a seq for as long as it is held."""


class Subscription(Protocol):
    """Sends events until there are no more."""

    @property
    def outlet(self) -> Outlet: ...

    @property
    def cursor(self) -> str | None:
        """Where to go on: everything before it was sent."""

    async def run(self) -> Ending: ...


class Outlet:
    """Sends events under one label; without a label they stay as they are.

    `window` bounds how many are sent ahead of their acknowledgement; None leaves that to TCP.
    """

    def __init__(
        self, label: str | None, window: int | None, send: Callable[[str], Awaitable[None]], sent: Sent
    ) -> None:
        self.label = label
        self._credit = window
        self._acked = asyncio.Event()
        self._send = send
        self._sent = sent
        self._head = "{" if label is None else f'{{"subscription":{json.dumps(label)},'

    def ack(self, count: int) -> None:
        """The client took in so many more events."""
        if self._credit is not None:
            self._credit += count
            self._acked.set()

    async def forward(self, follower: Follower, moved: Callable[[int], None]) -> Ending:
        """Send a follower's events until there are no more; `moved` gets the seq up to which all was sent."""
        while True:
            batch = await follower.next()
            if batch is not None:
                for event in batch.passing(follower.wanted):
                    await self._room()
                    if follower.ending is not None:
                        return follower.ending
                    await self._send_event(event)
                    moved(event.seq)
                moved(batch.end)
                if batch.is_final:
                    return FINAL
            elif follower.ending is not None:
                return follower.ending

    async def _room(self) -> None:
        if self._credit is None:
            return
        while self._credit == 0:
            self._acked.clear()
            await self._acked.wait()
        self._credit -= 1

    async def _send_event(self, event: WireEvent) -> None:
        text = self._head + event.json[1:].decode()
        await self._send(text)
        self._sent.add(1, len(text))


class RunSubscription:
    """Follows one run behind `after`; None if the client has seen its final event."""

    def __init__(self, outlet: Outlet, follow: Follow, run_id: str, after: int | None, wanted: EventFilter) -> None:
        self.outlet = outlet
        self._follow = follow
        self._run_id = run_id
        self._after = after
        self._wanted = wanted

    @property
    def cursor(self) -> str | None:
        return None if self._after is None else str(self._after)

    async def run(self) -> Ending:
        """Until the final event, or what ends it earlier."""
        if self._after is None:
            return FINAL
        with self._follow(self._run_id, self._after, self._wanted) as follower:
            return await self.outlet.forward(follower, self._moved)

    def _moved(self, seq: int) -> None:
        self._after = seq
