"""Wake-ups per run and the life of its tail."""

import asyncio

import pytest

from stream_api.following.follower import STOPPING
from stream_api.following.hub import Hub
from tests.unit.stream_api.memory_log import RUN, MemoryLog, seqs, settle


async def test_followers_of_a_run_are_counted_and_the_last_one_frees_it() -> None:
    hub = Hub(MemoryLog())
    with hub.follow(RUN, 0):
        with hub.follow(RUN, 0):
            assert (hub.followers, hub.followed_runs) == (2, 1)
        assert (hub.followers, hub.followed_runs) == (1, 1)
    assert (hub.followers, hub.followed_runs) == (0, 0)


@pytest.mark.parametrize("payload", [f"{RUN}:2", f"{RUN}:", "", "nonsense", f"{RUN}:x"])
async def test_a_notification_wakes_its_run_and_a_strange_one_wakes_all(payload: str) -> None:
    log = MemoryLog(1)
    hub = Hub(log)
    with hub.follow(RUN, 1) as follower:
        waiting = asyncio.create_task(follower.next())
        await settle()
        log.append()
        hub.notify(payload)
        async with asyncio.timeout(5):
            assert seqs(await waiting) == [2]


async def test_a_notification_of_another_run_reads_nothing() -> None:
    log = MemoryLog(1)
    hub = Hub(log)
    with hub.follow(RUN, 0) as follower:
        await follower.next()
        await settle()
        before = log.reads
        hub.notify("run-2:9")
        hub.notify(f"{RUN}:1")
        await settle()
        assert log.reads == before


async def test_a_closed_hub_ends_streams_of_now_and_of_later() -> None:
    hub = Hub(MemoryLog(1))
    with hub.follow(RUN, 1) as follower:
        waiting = asyncio.create_task(follower.next())
        await settle()
        hub.close()
        assert await waiting is None
        assert follower.ending is STOPPING
    with hub.follow(RUN, 0) as follower:
        assert (await follower.next(), follower.ending) == (None, STOPPING)


async def test_the_lag_is_that_of_the_slowest_follower() -> None:
    log = MemoryLog(3)
    hub = Hub(log)
    assert hub.largest_lag == 0
    with hub.follow(RUN, 0) as fast, hub.follow(RUN, 0) as slow:
        await fast.next()
        await settle()
        assert (fast.lag, slow.lag, hub.largest_lag) == (0, 3, 3)


@pytest.mark.parametrize(("payload", "told"), [("run-9:1", 1), ("run-9:2", 0), ("nonsense", 1)])
async def test_who_waits_for_new_runs_is_told_of_first_events(payload: str, told: int) -> None:
    hub = Hub(MemoryLog())
    calls: list[str] = []
    with hub.told_of_new_runs(lambda: calls.append("told")):
        hub.notify(payload)
    hub.notify("run-9:1")
    assert calls == ["told"] * told
