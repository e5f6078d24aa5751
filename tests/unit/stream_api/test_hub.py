"""Wake-ups per run and the life of its tail."""

import asyncio

import pytest

from stream_api.hub import Hub
from tests.unit.stream_api.memory_log import RUN, MemoryLog, settle


async def test_followers_of_a_run_share_one_tail_and_the_last_one_frees_it() -> None:
    hub = Hub(MemoryLog())
    with hub.watch(RUN) as first:
        with hub.watch(RUN) as second:
            assert first is second
            assert (hub.followers, hub.followed_runs) == (2, 1)
        assert (hub.followers, hub.followed_runs) == (1, 1)
    assert (hub.followers, hub.followed_runs) == (0, 0)
    assert await first.read(0) == ()


@pytest.mark.parametrize("payload", [f"{RUN}:2", f"{RUN}:", "", "nonsense", f"{RUN}:x"])
async def test_a_notification_wakes_its_run_and_a_strange_one_wakes_all(payload: str) -> None:
    log = MemoryLog(1)
    hub = Hub(log)
    with hub.watch(RUN) as tail:
        await tail.read(0)
        waiting = asyncio.create_task(tail.read(1))
        await settle()
        log.append()
        hub.notify(payload)
        async with asyncio.timeout(5):
            assert [event.seq for event in await waiting] == [2]


async def test_a_notification_of_another_run_reads_nothing() -> None:
    log = MemoryLog(1)
    hub = Hub(log)
    with hub.watch(RUN) as tail:
        await tail.read(0)
        await settle()
        before = log.reads
        hub.notify("run-2:9")
        hub.notify(f"{RUN}:1")
        await settle()
        assert log.reads == before


async def test_a_closed_hub_ends_streams_of_now_and_of_later() -> None:
    hub = Hub(MemoryLog(1))
    with hub.watch(RUN) as tail:
        waiting = asyncio.create_task(tail.read(1))
        await settle()
        hub.close()
        assert await waiting == ()
    with hub.watch(RUN) as tail:
        assert await tail.read(0) == ()
