"""A journal in memory: it tells what was committed, and when; and it can end a worker at any commit."""

from __future__ import annotations

import threading
from collections.abc import Callable

from graph_engine.journal.known import Known
from graph_engine.journal.records import Emitted, Record


class MemoryJournal:
    """Keeps the records of one run. What is durable survives the worker: `known()` is what the next goes on with."""

    def __init__(self, durable: list[Record] | None = None, *, parent: MemoryJournal | None = None) -> None:
        self.durable: list[Record] = durable or []
        self.commits: list[int] = []
        """How many records each commit made durable."""
        self._pending: list[Record] = []
        self._lock = threading.Lock()
        self._wake: Callable[[], None] = lambda: None
        self.parent = parent
        """Of the run of which this one is the retry."""

    def attach(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def append(self, record: Record) -> None:
        with self._lock:
            self._pending.append(record)
        if isinstance(record, Emitted):
            self._wake()

    def commit(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
        if pending:
            self.durable += pending
            self.commits.append(len(pending))

    def breathe(self) -> None:
        if self.due() is not None:
            self.commit()

    def due(self) -> float | None:
        return 0.0 if any(isinstance(record, Emitted) for record in self._pending) else None

    def known(self) -> Known:
        """What the durable records prove."""
        known = Known() if self.parent is None else self.parent.known().again()
        return known.fold(self.durable)
