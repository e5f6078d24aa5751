"""The run worker's single writer: records wait at most for the statement before them, and are committed in order.

What may wait: everything but a change of the run's status. The storage flushes before each of those and before
each read, so nobody, the worker itself included, ever sees a later thing without the earlier ones. A worker that is
killed loses the records that had not been committed; they are a suffix of the run, which then ends as failed.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from definitions.instance.event_statement import Record

LARGEST_BATCH = 500

Commit = Callable[[str, Sequence[Record]], None]


class WriterFailed(Exception):
    """A batch could not be committed; the run can no longer be recorded and its worker has to end."""


class _Barrier(threading.Event):
    """Set when everything before it is committed."""


class EventWriter:
    """Commits the records of one run after the other from a thread of its own.

    `commit(run_id, records)` writes records of one run durably, or raises when that is impossible for good.
    """

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._waiting: queue.SimpleQueue[tuple[str, Record] | _Barrier | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._handed_over = 0
        self._finished = 0
        self._thread = threading.Thread(target=self._write, name="event-writer", daemon=True)
        self._thread.start()

    def put(self, run_id: str, record: Record) -> None:
        """Hand over a record; returns at once. Raises `WriterFailed` if an earlier one could not be written."""
        self._raise_if_failed()
        with self._lock:
            self._handed_over += 1
        self._waiting.put((run_id, record))

    def flush(self) -> None:
        """Return when everything handed over before is committed. Raises `WriterFailed`."""
        if self._handed_over != self._finished and threading.current_thread() is not self._thread:
            barrier = _Barrier()
            self._waiting.put(barrier)
            barrier.wait()
        self._raise_if_failed()

    def close(self) -> None:
        """Commit what is left and end the thread. Raises `WriterFailed`."""
        self._waiting.put(None)
        self._thread.join()
        self._raise_if_failed()

    def _raise_if_failed(self) -> None:
        if self._error is not None:
            raise WriterFailed(f"Events could not be written: {self._error}") from self._error

    def _write(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty() and len(batch) < LARGEST_BATCH:
                batch.append(self._waiting.get())
            records = [entry for entry in batch if isinstance(entry, tuple)]
            self._commit_batch(records)
            self._finished += len(records)
            for entry in batch:
                if isinstance(entry, _Barrier):
                    entry.set()
            if None in batch:
                return

    def _commit_batch(self, entries: Sequence[tuple[str, Record]]) -> None:
        by_run: dict[str, list[Record]] = {}
        for run_id, record in entries:
            by_run.setdefault(run_id, []).append(record)
        try:
            if self._error is None:
                for run_id, records in by_run.items():
                    self._commit(run_id, records)
        except BaseException as error:
            self._error = error
