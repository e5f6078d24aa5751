"""The engine's journal of one run in PostgreSQL: a few commits, each by the one statement."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from definitions.instance.event_statement import Record, RunChange, build_journaled
from definitions.journal.connection import Connection, JournalConnection
from definitions.journal.dagster_place import TURNS
from definitions.journal.pending import LARGEST_BATCH, Pending
from definitions.journal.projection import Projection
from definitions.journal.run_waits import NO_WAITS, RunWaits, write_waits
from definitions.journal.values import LARGEST_INLINE
from definitions.services.spilled_values import SpilledValues
from definitions.shared.patience import Patience
from graph_engine.journal import records
from graph_engine.journal.journal import JournalLost
from graph_engine.journal.records import Wait

START_PAUSE = 0.015
"""Seconds that the first commit may wait: a run that ends before needs one in all."""
PAUSE = 0.02
"""Seconds between two commits that nobody waits for."""


class RunJournal:
    """Implements `graph_engine.journal.journal.Journal` for the worker that has `generation` of the run."""

    def __init__(
        self,
        run_id: str,
        generation: int,
        projection: Projection,
        connection: JournalConnection,
        spilled: SpilledValues,
    ) -> None:
        self._run_id = run_id
        self._generation = generation
        self._projection = projection
        self._connection = connection
        self._spilled = spilled
        self._lock = threading.Lock()
        self._pending = Pending()
        self._changes: list[tuple[int, RunChange]] = []
        """Each with the number of pending records up to its own."""
        self._turns: dict[tuple[str, str], str] = {}
        """Where this worker keeps large outputs of turns, by step and port."""
        self._waits: Sequence[Wait] = ()
        self._asked: list[records.Waiting] = []
        """What calls and people are to answer, yet to be written with the last of the pending records."""
        self._due = 0.0
        self._committed = float("-inf")
        self._wake: Callable[[], None] = lambda: None

    def attach(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def append(self, record: records.Record) -> None:
        is_emitted = isinstance(record, records.Emitted)
        with self._lock:
            reported = self._projection.reported(record)
            if not self._pending:
                is_first = self._committed == float("-inf")
                self._due = time.monotonic() + (START_PAUSE if is_first else PAUSE)
            self._pending.add(reported)
            if is_emitted:
                self._due = min(self._due, self._committed + PAUSE)
            elif (change := self._projection.change(record)) is not None:
                self._changes.append((len(self._pending), change))
            if isinstance(record, records.RunSuspended):
                self._waits = record.waits
            elif isinstance(record, records.Waiting) and record.asking is not None:
                self._asked.append(record)
        if is_emitted:
            self._wake()

    def due(self) -> float | None:
        if not self._pending:
            return None
        is_full = len(self._pending) >= LARGEST_BATCH
        return 0.0 if is_full else max(0.0, self._due - time.monotonic())

    def breathe(self) -> None:
        if self._pending and self.due() == 0.0:
            self.commit()

    def commit(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, Pending()
            changes, self._changes = self._changes, []
            waits, self._waits = self._waits, ()
            asked, self._asked = self._asked, []
        done = 0
        for batch in pending.batches():
            until = done + len(batch)
            within = [change for place, change in changes if done < place <= until]
            self._write(batch, _merged(within), RunWaits(waits, asked) if until == len(pending) else NO_WAITS)
            done = until
        self._committed = time.monotonic()

    def _write(self, batch: Sequence[Record], change: RunChange | None, waits: RunWaits) -> None:
        reported = [self._placed(record) for record in batch]
        token = uuid.uuid4().hex
        statement, parameters = build_journaled(
            self._run_id, token, reported, change, time.time(), generation=self._generation
        )
        text = statement.encode()

        def write(connection: Connection) -> tuple[str | None, bool]:
            row = connection.execute(text, parameters, prepare=True).fetchone()
            assert row is not None
            return row[1], row[2]

        def write_with_waits(connection: Connection) -> tuple[str | None, bool]:
            with connection.transaction():
                answer = write(connection)
                if answer[0] is not None:
                    write_waits(connection, self._run_id, waits)
            return answer

        status, was_sent = self._connection.do(write_with_waits if waits else write)
        if status is None and not was_sent:
            raise JournalLost(f"Run {self._run_id} has ended, or another worker has it.")
        for location in self._replaced(reported):
            self._spilled.discard(location)

    def _replaced(self, written: Sequence[Record]) -> Iterator[str]:
        """Where turns of a `repeat` were kept, in whose place there are later ones now."""
        for value in (record.value for record in written if record.value is not None):
            if value.port in TURNS:
                before = self._turns.pop((value.step, value.port), None)
                if before is not None:
                    yield before
                if value.location is not None:
                    self._turns[value.step, value.port] = value.location

    def _placed(self, record: Record) -> Record:
        """The record with a large value as a file, which is whole before anybody knows of it."""
        value = record.value
        if value is None or value.text is None or len(value.text) <= LARGEST_INLINE:
            return record
        trying = Patience()
        while True:
            try:
                location = self._spilled.write(self._run_id, value.text)
            except OSError as error:
                if not trying.lasts(error):
                    raise
            else:
                return replace(record, value=replace(value, text=None, location=location))


def _merged(changes: Sequence[RunChange]) -> RunChange | None:
    """Of a run that begins and ends in one commit both."""
    if not changes:
        return None
    started = next((change.started for change in changes if change.started is not None), None)
    return replace(changes[-1], started=started)
