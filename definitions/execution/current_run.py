"""The run that a worker executes now: what is its alone, and gone with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from definitions.shared.masking import Masking
from graph_engine.journal.records import Error, Status, run_error

CANCELED = run_error("canceled", "The run was canceled.")


@dataclass
class Cancellation:
    """Whether what the run's nodes do in the world is to end; subscribers are called at once, late ones too."""

    requested: threading.Event = field(default_factory=threading.Event)
    _listeners: list[Callable[[], None]] = field(default_factory=list)

    def request(self) -> None:
        """End it, and refuse what would begin."""
        self.requested.set()
        for listener in list(self._listeners):
            listener()

    def subscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)
        if self.requested.is_set():
            listener()

    def rearm(self) -> None:
        """Let what runs last go on, until asked again."""
        self.requested.clear()


@dataclass
class CurrentRun:
    """Others end the run by `stop`, from any thread and at any time, also before it has begun."""

    run_id: str
    cancellation: Cancellation = field(default_factory=Cancellation)
    """Of what its nodes do in the world."""
    masking: Masking = field(default_factory=Masking)
    """What it has read of secrets."""
    _lock: Any = field(default_factory=threading.RLock)  # a signal may come while it is held
    _stop: Callable[[Status, Error], None] | None = None
    _wish: tuple[Status, Error] | None = None

    def stop(self, status: Status = "CANCELED", error: Error = CANCELED) -> None:
        """End the run with this; the first wish counts."""
        with self._lock:
            if self._wish is None:
                self._wish = (status, error)
                if self._stop is not None:
                    self._stop(status, error)

    @property
    def is_stopped(self) -> bool:
        """Whether somebody has ended it."""
        return self._wish is not None

    def on_stop(self, stop: Callable[[Status, Error], None]) -> None:
        """Have this called once the run is to end; at once if it already is."""
        with self._lock:
            self._stop = stop
            if self._wish is not None:
                stop(*self._wish)
