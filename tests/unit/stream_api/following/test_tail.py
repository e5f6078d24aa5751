"""The shared window of a run's newest events."""

import asyncio

import pytest

from platform_core.operation.metrics import Metrics
from stream_api.following import tail as tail_module
from stream_api.following.filters import OPEN
from stream_api.following.follower import PURGED, STOPPING, Follower
from stream_api.following.measures import Measures
from stream_api.following.tail import CHUNK, WINDOW_EVENTS, Tail
from tests.unit.stream_api.memory_log import RUN, MemoryLog, seqs, settle


def make_tail(log: MemoryLog, **options: float) -> Tail:
    return Tail(RUN, log, Measures(), **options)


def join(tail: Tail, cursor: int = 0) -> Follower:
    """One more follower of the tail."""
    follower = Follower(tail, cursor, OPEN)
    tail.followers.add(follower)
    return follower


async def read_to(follower: Follower, end: int) -> list[int]:
    """The seqs read up to `end`."""
    found: list[int] = []
    while not found or found[-1] < end:
        async with asyncio.timeout(5):
            batch = await follower.next()
        found += [] if batch is None else seqs(batch)
    return found


async def test_history_comes_in_chunks_and_in_order() -> None:
    tail = make_tail(MemoryLog(3 * CHUNK + 1))
    assert await read_to(join(tail), 3 * CHUNK + 1) == list(range(1, 3 * CHUNK + 2))
    tail.close()


async def test_live_events_are_read_and_encoded_once_for_all_followers() -> None:
    log = MemoryLog(1)
    tail = make_tail(log)
    followers = [join(tail, 1) for _ in range(50)]
    waiting = [asyncio.create_task(follower.next()) for follower in followers]
    await settle()
    before = log.reads
    log.append()
    tail.wake(log.append())
    batches = await asyncio.gather(*waiting)
    assert seqs(batches[0]) == [2, 3]
    assert all(batch is batches[0] for batch in batches)
    assert log.reads - before <= 2
    tail.close()


async def test_followers_who_come_at_once_share_the_reads_of_history() -> None:
    log = MemoryLog(3 * CHUNK)
    tail = make_tail(log)
    assert (
        await asyncio.gather(*(read_to(join(tail), 3 * CHUNK) for _ in range(20)))
        == [list(range(1, 3 * CHUNK + 1))] * 20
    )
    assert log.reads <= 6
    tail.close()


async def test_an_event_committed_while_history_is_read_is_not_lost() -> None:
    log = MemoryLog(1)
    tail = make_tail(log)
    log.gate.clear()
    reading = asyncio.create_task(read_to(join(tail), 2))
    await asyncio.sleep(0)
    tail.wake(log.append())
    log.gate.set()
    assert await reading == [1, 2]
    tail.close()


async def test_a_follower_whose_empty_read_was_overtaken_does_not_wait_for_the_next_event() -> None:
    """Its read saw nothing, and before that answer came the event was read and announced by another."""
    log = MemoryLog(1)
    tail = make_tail(log)
    first, late = join(tail, 1), join(tail, 1)
    log.gate.clear()
    overtaken = asyncio.create_task(late.next())
    await asyncio.sleep(0)
    # The reads of `first` and of the pump see the event; the one under way does not.
    held, log.gate = log.gate, asyncio.Event()
    log.gate.set()
    tail.wake(log.append())
    assert await read_to(first, 2) == [2]
    await settle()
    held.set()
    async with asyncio.timeout(5):
        assert seqs(await overtaken) == [2]
    tail.close()


async def test_a_follower_that_joins_late_sees_what_the_window_already_has() -> None:
    log = MemoryLog(1)
    tail = make_tail(log)
    await join(tail).next()
    tail.wake(log.append())
    await settle()
    assert seqs(await join(tail, 1).next()) == [2]
    tail.close()


async def test_a_follower_behind_the_window_reads_the_table_without_a_gap() -> None:
    log = MemoryLog(1)
    metrics = Metrics()
    tail = Tail(RUN, log, Measures(metrics))
    await join(tail).next()
    last = 0
    for _ in range(WINDOW_EVENTS + CHUNK):
        last = log.append()
    tail.wake(last)
    await read_to(join(tail, last - 1), last)
    assert metrics.registry.get_sample_value("headrace_stream_fallbacks_total") == 0
    assert await read_to(join(tail, 1), last) == list(range(2, last + 1))
    assert metrics.registry.get_sample_value("headrace_stream_fallbacks_total") == 1
    tail.close()


async def test_the_window_is_bounded_by_size_too(monkeypatch: pytest.MonkeyPatch) -> None:
    # The real limit would need megabytes of events.
    monkeypatch.setattr(tail_module, "WINDOW_BYTES", 1000)
    log = MemoryLog(1)
    tail = make_tail(log)
    follower = join(tail)
    await follower.next()
    for _ in range(5):
        tail.wake(log.append(message="x" * 2000))
    assert await read_to(follower, 6) == [2, 3, 4, 5, 6]
    tail.close()


async def test_a_lost_notification_costs_only_the_time_of_a_reread() -> None:
    log = MemoryLog(1)
    tail = make_tail(log, reread=0.01)
    follower = join(tail)
    await follower.next()
    log.append()
    assert await read_to(follower, 2) == [2]
    tail.close()


async def test_closing_ends_waiting_followers() -> None:
    tail = make_tail(MemoryLog(1))
    follower = join(tail, 1)
    waiting = asyncio.create_task(follower.next())
    await settle()
    tail.close()
    assert await waiting is None
    assert (await follower.next(), follower.ending) == (None, STOPPING)


async def test_a_cancelled_follower_does_not_disturb_the_others() -> None:
    log = MemoryLog(1)
    tail = make_tail(log)
    stays, leaves = (asyncio.create_task(join(tail, 1).next()) for _ in range(2))
    await settle()
    leaves.cancel()
    await asyncio.wait([leaves])
    tail.wake(log.append())
    assert seqs(await stays) == [2]
    tail.close()


async def test_deleted_history_ends_the_stream_and_is_not_a_loop() -> None:
    log = MemoryLog(2)
    tail = make_tail(log)
    await join(tail, 1).next()
    log.events.clear()
    follower = join(tail, 0)
    assert (await follower.next(), follower.ending) == (None, PURGED)
    tail.close()


async def test_a_failure_to_read_reaches_every_follower(caplog: pytest.LogCaptureFixture) -> None:
    class BrokenLog(MemoryLog):
        broken = False

        async def read(self, run_id: str, after: int, limit: int):  # type: ignore[no-untyped-def]  # as the parent
            if self.broken:
                raise KeyError("column")
            return await super().read(run_id, after, limit)

    log = BrokenLog(1)
    tail = make_tail(log)
    waiting = [asyncio.create_task(join(tail, 1).next()) for _ in range(3)]
    await settle()
    log.broken = True
    tail.wake()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [KeyError] * 3
    assert "following run run-1 failed" in caplog.text
    tail.close()
