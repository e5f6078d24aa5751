"""What a socket follows, by label, and the labels that ended lately."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass

from platform_core.errors import SubscriptionExists, SubscriptionNotFound, TooManyStreams
from stream_api.sessions.subscription import Subscription

MOST_SUBSCRIPTIONS = 100

MOST_ENDED = 1000
"""Labels that are remembered after their subscription ended; messages for them may still be under way."""


@dataclass(slots=True)
class Kept:
    """A subscription, the task that runs it, and the room it takes of its user's limit."""

    subscription: Subscription
    task: asyncio.Task[None]
    room: ExitStack
    is_leaving: bool = False


class Subscriptions:
    """The live subscriptions of one socket; the label is None where the socket follows one run."""

    def __init__(self) -> None:
        self._live: dict[str | None, Kept] = {}
        self._ended: dict[str | None, None] = {}

    def __bool__(self) -> bool:
        return bool(self._live)

    def demand_free(self, label: str | None) -> None:
        """Raises `SubscriptionExists`, `TooManyStreams`."""
        if label in self._live:
            raise SubscriptionExists(f"There is a subscription {label!r} already.")
        if len(self._live) >= MOST_SUBSCRIPTIONS:
            raise TooManyStreams(f"A socket has at most {MOST_SUBSCRIPTIONS} subscriptions; open another.")

    def add(self, label: str | None, kept: Kept) -> None:
        """From now on the label is this subscription's."""
        self._ended.pop(label, None)
        self._live[label] = kept

    def find(self, label: str | None) -> Kept | None:
        """The subscription; None for one that ended lately, which its client could not know when it wrote.

        Raises `SubscriptionNotFound` for a label that was not given out.
        """
        kept = self._live.get(label)
        if kept is None and label not in self._ended:
            called = "without an id" if label is None else repr(label)
            raise SubscriptionNotFound(f"There is no subscription {called}.")
        return kept

    def get(self, label: str | None) -> Kept:
        """The subscription, which is there."""
        return self._live[label]

    def remove(self, label: str | None) -> None:
        """The subscription has ended; its room is free at once."""
        self._live.pop(label).room.close()
        self._ended[label] = None
        if len(self._ended) > MOST_ENDED:
            del self._ended[next(iter(self._ended))]

    def cursors(self, only_run: str | None) -> dict[str, str | None]:
        """Where to go on with each; a subscription without a label goes by the run that the socket follows."""
        return {
            label if label is not None else str(only_run): kept.subscription.cursor
            for label, kept in self._live.items()
        }
