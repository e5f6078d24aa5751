"""The protocol by which the engine makes durable what happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from graph_engine.journal.records import Record


class JournalLost(Exception):
    """Another worker has this run now: nothing of this one may be written any more, and nothing of it counts."""


class Journal(Protocol):
    """The records of one run, in order. What is durable is always a prefix of what was appended.

    All methods are called by the thread that executes the run, but `append` of `Emitted`, which comes from any.
    """

    def attach(self, wake: Callable[[], None]) -> None:
        """Called once, before any record. `wake` may be called from any thread: the engine looks at `due` again."""

    def append(self, record: Record) -> None:
        """Take the record, without waiting for anything; it need not be durable yet.

        Raises `NodeError` (value_too_large) for a value that cannot be kept; then nothing is taken, and the step fails
        with that. Values are not to be changed and may be kept.
        """

    def commit(self) -> None:
        """Return when all records that were appended are durable.

        Called before anything begins that reaches the world, once for all that begins together, and after the last
        record. Waits for a database that is away. Raises `JournalLost`.
        """

    def breathe(self) -> None:
        """Commit if it is time to: called often, between two steps. Raises `JournalLost`."""

    def due(self) -> float | None:
        """Seconds until `breathe` is to be called at the latest; None if nothing waits to be committed."""
