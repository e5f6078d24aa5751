"""Who leaves a streamed answer leaves nothing behind, and no one waits for a run that is removed."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any, cast

from platform_core.database.engine import Engine
from platform_core.runs.run_event_store import RunEvent
from trigger_api.live.run_progress import RunProgress


class HeldBack(RunProgress):
    """Its look at the database takes as long as a test wants, which no real database does."""

    def __init__(self) -> None:
        super().__init__(cast(Engine, None))
        self.asking, self.answer = asyncio.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()

    def _ask(self, run_ids: list[str]) -> dict[str, int]:
        self._loop.call_soon_threadsafe(self.asking.set)
        assert self.answer.wait(20)
        return dict.fromkeys(run_ids, 1)

    def _read(self, run_id: str, after: int) -> list[RunEvent]:
        first = RunEvent(run_id, 1, datetime(2026, 1, 1, tzinfo=UTC), "log", None, None, "info", "hello", {})
        return [] if after else [first]


async def test_a_run_that_is_left_while_it_is_asked_about_is_forgotten() -> None:
    progress = HeldBack()

    async def follow() -> list[Any]:
        return [frame async for frame in progress.frames("run")]

    following = asyncio.create_task(follow())
    async with asyncio.timeout(20):
        await progress.asking.wait()
        looking = progress._looking
        assert looking is not None
        following.cancel()
        await asyncio.wait([following])
        progress.answer.set()
        await looking
    assert (progress._seqs, dict(progress._followed)) == ({}, {})


class Removed(HeldBack):
    """Its run has one event and is removed before the next."""

    def _ask(self, run_ids: list[str]) -> dict[str, int]:
        return {}


async def test_the_answer_ends_when_its_run_is_removed() -> None:
    progress = Removed()
    async with asyncio.timeout(20):
        followed = [[frame.id async for frame in progress.frames("run")] for _ in range(2)]
    assert followed == [["1"], ["1"]]
    assert (progress._seqs, dict(progress._followed)) == ({}, {})
