"""The shared window of a run's newest events."""

import asyncio

import pytest

from stream_api import tail as tail_module
from stream_api.tail import CHUNK, WINDOW_EVENTS, RunPurged, Tail
from tests.unit.stream_api.memory_log import RUN, MemoryLog, settle


async def read_to(tail: Tail, cursor: int, end: int) -> list[int]:
    """The seqs read from the cursor up to `end`."""
    seqs: list[int] = []
    while cursor < end:
        async with asyncio.timeout(5):
            seqs += [event.seq for event in await tail.read(cursor)]
        cursor = seqs[-1]
    return seqs


async def test_history_comes_in_chunks_and_in_order() -> None:
    tail = Tail(RUN, MemoryLog(3 * CHUNK + 1))
    assert await read_to(tail, 0, 3 * CHUNK + 1) == list(range(1, 3 * CHUNK + 2))
    tail.close()


async def test_live_events_are_read_once_for_all_followers() -> None:
    log = MemoryLog(1)
    tail = Tail(RUN, log)
    await tail.read(0)
    followers = [asyncio.create_task(read_to(tail, 1, 3)) for _ in range(50)]
    await asyncio.sleep(0)
    before = log.reads
    log.append()
    tail.wake(log.append())
    assert await asyncio.gather(*followers) == [[2, 3]] * 50
    assert log.reads - before <= 3
    tail.close()


async def test_an_event_committed_while_history_is_read_is_not_lost() -> None:
    log = MemoryLog(1)
    tail = Tail(RUN, log)
    log.gate.clear()
    reading = asyncio.create_task(read_to(tail, 0, 2))
    await asyncio.sleep(0)
    tail.wake(log.append())
    log.gate.set()
    assert await reading == [1, 2]
    tail.close()


async def test_a_follower_that_joins_late_sees_what_the_window_already_has() -> None:
    log = MemoryLog(1)
    tail = Tail(RUN, log)
    await tail.read(0)
    log.gate.clear()
    late = asyncio.create_task(tail.read(1))
    await asyncio.sleep(0)
    tail.wake(log.append())
    log.gate.set()
    assert [event.seq for event in await late] == [2]
    tail.close()


async def test_a_follower_behind_the_window_reads_the_table_without_a_gap() -> None:
    log = MemoryLog(1)
    tail = Tail(RUN, log)
    await tail.read(0)
    last = 0
    for _ in range(WINDOW_EVENTS + CHUNK):
        last = log.append()
    tail.wake(last)
    await read_to(tail, last - 1, last)
    assert await read_to(tail, 1, last) == list(range(2, last + 1))
    tail.close()


async def test_the_window_is_bounded_by_size_too(monkeypatch: pytest.MonkeyPatch) -> None:
    # The real limit would need megabytes of events.
    monkeypatch.setattr(tail_module, "WINDOW_CHARACTERS", 1000)
    log = MemoryLog(1)
    tail = Tail(RUN, log)
    await tail.read(0)
    for _ in range(5):
        tail.wake(log.append(message="x" * 2000))
    assert await read_to(tail, 1, 6) == [2, 3, 4, 5, 6]
    tail.close()


async def test_a_lost_notification_costs_only_the_time_of_a_reread() -> None:
    log = MemoryLog(1)
    tail = Tail(RUN, log, reread=0.01)
    await tail.read(0)
    log.append()
    assert await read_to(tail, 1, 2) == [2]
    tail.close()


async def test_closing_ends_waiting_followers() -> None:
    tail = Tail(RUN, MemoryLog(1))
    waiting = asyncio.create_task(tail.read(1))
    await settle()
    tail.close()
    assert await waiting == ()
    assert await tail.read(0) == ()


async def test_a_cancelled_follower_does_not_disturb_the_others() -> None:
    log = MemoryLog(1)
    tail = Tail(RUN, log)
    await tail.read(0)
    stays, leaves = (asyncio.create_task(tail.read(1)) for _ in range(2))
    await settle()
    leaves.cancel()
    await asyncio.wait([leaves])
    tail.wake(log.append())
    assert [event.seq for event in await stays] == [2]
    tail.close()


async def test_deleted_history_is_an_error_and_not_a_loop() -> None:
    log = MemoryLog(2)
    tail = Tail(RUN, log)
    await tail.read(0)
    log.events.clear()
    with pytest.raises(RunPurged):
        await tail.read(1)
    tail.close()


async def test_a_failure_to_read_reaches_every_follower(caplog: pytest.LogCaptureFixture) -> None:
    class BrokenLog(MemoryLog):
        broken = False

        async def read(self, run_id: str, after: int, limit: int):  # type: ignore[no-untyped-def]  # as the parent
            if self.broken:
                raise KeyError("column")
            return await super().read(run_id, after, limit)

    log = BrokenLog(1)
    tail = Tail(RUN, log)
    await tail.read(0)
    followers = [asyncio.create_task(tail.read(1)) for _ in range(3)]
    await settle()
    log.broken = True
    tail.wake()
    results = await asyncio.gather(*followers, return_exceptions=True)
    assert [type(result) for result in results] == [KeyError] * 3
    assert "following run run-1 failed" in caplog.text
    tail.close()
