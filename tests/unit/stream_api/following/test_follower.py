"""Following a run: what lies under every transport."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_api.following.hub import Hub
from tests.unit.stream_api.memory_log import RUN, MemoryLog, seqs, settle


async def collect(hub: Hub, after: int) -> list[int]:
    found: list[int] = []
    async with asyncio.timeout(5):
        with hub.follow(RUN, after) as follower:
            while follower.ending is None:
                batch = await follower.next()
                if batch is not None:
                    found += seqs(batch)
                    if batch.is_final:
                        break
    return found


@pytest.mark.parametrize("after", range(5))
async def test_an_ended_run_is_replayed_from_every_cursor(after: int) -> None:
    log = MemoryLog(4)
    log.append("run.succeeded")
    hub = Hub(log)
    assert await collect(hub, after) == list(range(after + 1, 6))
    assert hub.followers == 0


async def test_a_closing_hub_ends_the_stream_where_it_stands() -> None:
    hub = Hub(MemoryLog(3))
    following = asyncio.create_task(collect(hub, 0))
    await settle()
    hub.close()
    assert await following == [1, 2, 3]


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_followers_see_every_event_once_whatever_the_order_of_commits_and_wakes(
    steps: list[int], cursors: list[int]
) -> None:
    """Steps: 0 a silent commit, 1 a commit with its notification, 2 a late wake of all, 3 time passes."""

    async def scenario() -> list[list[int]]:
        log = MemoryLog(5)
        hub = Hub(log)
        following = [asyncio.create_task(collect(hub, min(cursor, 5))) for cursor in cursors]
        for step in steps:
            if step in {0, 1}:
                seq = log.append()
                if step == 1:
                    hub.notify(f"{RUN}:{seq}")
            elif step == 2:
                hub.wake_all()
            else:
                await asyncio.sleep(0)
        hub.notify(f"{RUN}:{log.append('run.failed')}")
        seen = await asyncio.gather(*following)
        assert seen == [list(range(min(cursor, 5) + 1, len(log.events) + 1)) for cursor in cursors]
        return seen

    asyncio.run(scenario())
