"""Waiting for runs to end, for any number of requests at once, without a thread or a connection for each."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool

from platform_core.database.engine import Engine, reading
from platform_core.errors import Unavailable
from platform_core.runs.run_store import ended_among

_INTERVAL = 0.02

_log = logging.getLogger(__name__)


class RunEndings:
    """One short query asks about all awaited runs, every 20 ms, and only while some are awaited."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._asking: asyncio.Task[None] | None = None

    async def wait(self, run_id: str, seconds: float) -> bool:
        """Whether the run ended within `seconds`."""
        ended = asyncio.Event()
        self._waiting[run_id].add(ended)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_while_awaited())
        try:
            async with asyncio.timeout(seconds):
                return await ended.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting[run_id].discard(ended)
            if not self._waiting[run_id]:
                del self._waiting[run_id]

    async def _ask_while_awaited(self) -> None:
        while self._waiting:
            for run_id in await run_in_threadpool(self._ask, list(self._waiting)):
                for ended in self._waiting.get(run_id, ()):
                    ended.set()
            await asyncio.sleep(_INTERVAL)

    def _ask(self, run_ids: Sequence[str]) -> Sequence[str]:
        try:
            with reading(self._engine) as connection:
                return ended_among(connection, run_ids)
        except Unavailable:
            # The run is accepted all the same: who waits is answered 202 when the time is up.
            _log.warning("cannot see whether %d awaited runs have ended", len(run_ids))
            return ()
