"""What both clients know of a stream, without a connection: where it stands, what is new, how long to be patient."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.client.errors import Interrupted, Silence, StreamBroken, Unreachable

Event = dict[str, Any]

SILENCE = 45.0
"""Seconds without even a heartbeat after which a connection counts as dead; the server sends one every 15."""

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


@dataclass(frozen=True)
class Wanted:
    """Which events to get: types (or groups such as `node.*`), nodes, a least level. The final event always comes."""

    types: Sequence[str] | None = None
    nodes: Sequence[str] | None = None
    level: str | None = None

    @property
    def is_open(self) -> bool:
        return self.types is None and self.nodes is None and self.level is None

    def query(self) -> dict[str, str]:
        """The parameters of a request."""
        names = {"types": self.types, "nodes": self.nodes}
        found = {name: ",".join(values) for name, values in names.items() if values is not None}
        return found if self.level is None else found | {"level": self.level}

    def filters(self) -> dict[str, Any]:
        """The `filters` of a subscription."""
        found = {"types": self.types, "nodes": self.nodes, "level": self.level}
        return {name: value if isinstance(value, str) else list(value) for name, value in found.items() if value}


class StreamProgress:
    """One run's stream over as many connections as it takes."""

    def __init__(
        self,
        cursor: str | None,
        wanted: Wanted,
        *,
        patience: float,
        until: float | None = None,
        only_stored: bool = False,
    ) -> None:
        self.cursor = cursor
        self.only_stored = only_stored
        self.ended = False
        self._is_filtered = not wanted.is_open
        self._seq: int | None = 0 if cursor is None else None
        self._patience = patience
        self._until = until
        self._lost: float | None = None
        self._pause = FIRST_PAUSE

    def take(self, event: Mapping[str, Any]) -> bool:
        """Whether the event is new; it moves the cursor. Raises `StreamBroken` when one before it is missing."""
        seq = int(event["seq"])
        if self._seq is not None and seq <= self._seq:
            return False
        if not self._is_filtered and self._seq is not None and seq != self._seq + 1:
            raise StreamBroken(f"event {seq} came after event {self._seq}")
        self._seq, self.cursor = seq, str(event["id"])
        if event.get("final"):
            self.ended = True
            if not self._is_filtered and event["count"] != seq:
                raise StreamBroken(f"the run has {event['count']} events, and the last one is event {seq}")
        return True

    def heard(self) -> None:
        """The server said something, be it a heartbeat. Raises `Silence` when the caller's time is up."""
        self._lost = None
        self._pause = FIRST_PAUSE
        self.check_time()

    @property
    def left(self) -> float | None:
        """Seconds that the caller still waits; None without a limit."""
        return None if self._until is None else max(0.05, self._until - time.monotonic())

    @property
    def wait(self) -> float:
        """Seconds to wait for the next word of a server that sends heartbeats."""
        return SILENCE if self.left is None else min(SILENCE, self.left)

    def check_time(self) -> None:
        """Raises `Silence` when the caller's time is up."""
        if self._until is not None and time.monotonic() > self._until:
            raise Silence("The time is up.")

    def silent(self) -> Interrupted:
        """Nothing came for `wait` seconds: the connection is dead. Raises `Silence` when the caller's time is up."""
        self.check_time()
        return Interrupted("the server is silent")

    def pause(self, interruption: Interrupted) -> float:
        """Seconds to wait before the next connection. Raises `Unreachable` when patience is at its end."""
        now = time.monotonic()
        self._lost = now if self._lost is None else self._lost
        if now - self._lost > self._patience:
            raise Unreachable(f"no connection for {self._patience:g} s: {interruption}") from interruption
        self.check_time()
        if interruption.at_once:
            return random.uniform(0.01, 0.1)  # noqa: S311 - jitter, not a secret
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - as above


class SeenRuns:
    """The last event of each run that was seen: after its last position the server repeats what it sent.

    A run that has ended is forgotten at the second position after its final event: the first may have been computed
    before that event was sent, and who comes back with it gets the event again.
    """

    def __init__(self) -> None:
        self._seqs: dict[str, int] = {}
        self._ended: set[str] = set()
        self._ended_before: set[str] = set()

    def take(self, event: Mapping[str, Any]) -> bool:
        """Whether the event is new."""
        run_id, seq = event["run_id"], event["seq"]
        if seq <= self._seqs.get(run_id, 0):
            return False
        self._seqs[run_id] = seq
        if event.get("final"):
            self._ended.add(run_id)
        return True

    def forget_ended(self) -> None:
        """The server sent a position: runs that had ended at the one before do not come again."""
        for run_id in self._ended_before:
            del self._seqs[run_id]
        self._ended_before, self._ended = self._ended, set()
