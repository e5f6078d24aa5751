"""What waits for the next commits of a run, in order, and how much of it goes into one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from definitions.instance.event_statement import Record
from definitions.journal.values import LARGEST_INLINE

LARGEST_BATCH = 1000
"""Records in one statement."""
LARGEST_TEXT = 4 * 1024 * 1024
"""Characters of values, log and messages in one statement, but for a single record that has more."""


class Series(NamedTuple):
    """Very many records, each of which is made by its number (from 0) when it is written."""

    length: int
    make: Callable[[int], Record]


class Pending:
    """Records in the order in which they are committed; its length counts those of a series one by one."""

    def __init__(self) -> None:
        self._parts: list[Record | Series] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, parts: Iterable[Record | Series]) -> None:
        for part in parts:
            self._parts.append(part)
            self._count += part.length if isinstance(part, Series) else 1

    def batches(self) -> Iterator[list[Record]]:
        """All of them, by statements."""
        batch: list[Record] = []
        size = 0
        for record in self._records():
            size += _size(record)
            if batch and (size > LARGEST_TEXT or len(batch) == LARGEST_BATCH):
                yield batch
                batch, size = [], _size(record)
            batch.append(record)
        if batch:
            yield batch

    def _records(self) -> Iterator[Record]:
        for part in self._parts:
            if isinstance(part, Series):
                yield from map(part.make, range(part.length))
            else:
                yield part


def _size(record: Record) -> int:
    size = 0 if record.log is None else len(record.log["event"])
    if record.value is not None and record.value.text is not None and len(record.value.text) <= LARGEST_INLINE:
        size += 2 * len(record.value.text)  # its event shows it, too
    if record.event is not None:
        size += len(record.event.message)
    return size + len(record.outputs or "") + len(record.note or "")
