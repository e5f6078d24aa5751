"""The run worker's single writer, over commits that the tests hold back or fail."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from definitions.instance.event_statement import Record
from definitions.instance.event_writer import LARGEST_BATCH, EventWriter, WriterFailed
from tests.waiting import wait_until


class Database:
    """Keeps what was committed; `gate` holds commits back, `error` fails them."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[str]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.error: BaseException | None = None

    def commit(self, run_id: str, records: Sequence[Record]) -> None:
        self.entered.set()
        assert self.gate.wait(30)
        if self.error is not None:
            raise self.error
        self.batches.append((run_id, [text(record) for record in records]))

    def committed(self, run_id: str) -> list[str]:
        return [name for owner, names in self.batches if owner == run_id for name in names]


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def writer(database: Database) -> EventWriter:
    return EventWriter(database.commit)


def test_flush_returns_when_everything_before_it_is_committed_in_order(database: Database, writer: EventWriter) -> None:
    for number in range(2 * LARGEST_BATCH + 1):
        writer.put("run", record(str(number)))
    writer.flush()
    assert database.committed("run") == [str(number) for number in range(2 * LARGEST_BATCH + 1)]
    assert max(len(names) for _, names in database.batches) <= LARGEST_BATCH
    writer.close()


def test_put_does_not_wait_for_the_commit_before_it_and_what_waits_goes_together(
    database: Database, writer: EventWriter
) -> None:
    database.gate.clear()
    writer.put("run", record("first"))
    assert database.entered.wait(30)
    for name in ("second", "third"):
        writer.put("run", record(name))
    assert database.batches == []
    database.gate.set()
    writer.flush()
    assert database.batches == [("run", ["first"]), ("run", ["second", "third"])]
    writer.close()


def test_runs_are_committed_apart(database: Database, writer: EventWriter) -> None:
    for name in ("a1", "b1", "a2", "b2"):
        writer.put(name[0], record(name))
    writer.close()
    assert (database.committed("a"), database.committed("b")) == (["a1", "a2"], ["b1", "b2"])


def test_each_threads_records_keep_their_order(database: Database, writer: EventWriter) -> None:
    def write(thread: int) -> None:
        for number in range(200):
            writer.put("run", record(f"{thread}:{number}"))
            if number % 50 == 0:
                writer.flush()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    writer.close()
    names = database.committed("run")
    assert len(names) == 800
    for thread in range(4):
        mine = [name for name in names if name.startswith(f"{thread}:")]
        assert mine == [f"{thread}:{number}" for number in range(200)]


def test_flush_of_one_thread_covers_what_another_put_and_flushed_before(
    database: Database, writer: EventWriter
) -> None:
    """Both wait: the second flush must not return because the first one is already under way."""
    database.gate.clear()
    writer.put("run", record("only"))
    with ThreadPoolExecutor(2) as pool:
        flushes = [pool.submit(writer.flush) for _ in range(2)]
        assert database.entered.wait(30)
        wait_until(lambda: all(flush.running() for flush in flushes), "both flush")
        assert not any(flush.done() for flush in flushes)
        database.gate.set()
        for flush in flushes:
            flush.result(30)
    assert database.committed("run") == ["only"]
    writer.close()


def test_failure_surfaces_at_every_later_call_and_nothing_is_written_behind_a_gap(
    database: Database, writer: EventWriter
) -> None:
    database.error = OSError("the disk is full")
    writer.put("run", record("lost"))
    with pytest.raises(WriterFailed, match="the disk is full"):
        writer.flush()
    database.error = None
    for call in (lambda: writer.put("run", record("late")), writer.flush, writer.close):
        with pytest.raises(WriterFailed, match="the disk is full"):
            call()
    assert database.batches == []


def test_close_loses_nothing(database: Database, writer: EventWriter) -> None:
    for number in range(1000):
        writer.put("run", record(str(number)))
    writer.close()
    assert database.committed("run") == [str(number) for number in range(1000)]


def record(name: str) -> Record:
    return Record(outputs=name)


def text(record: Record) -> str:
    assert record.outputs is not None
    return record.outputs
