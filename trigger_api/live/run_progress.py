"""The events of runs for answers that are streams: one short query for all of them, only while there are some."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator

from sse_starlette import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from platform_core.database.engine import Engine, reading
from platform_core.runs.run_event_store import RunEvent, read_events
from platform_core.runs.run_store import last_seqs

_INTERVAL = 0.05
_BATCH = 500


class RunProgress:
    """Knows the number of the last event of every run that is followed; it asks for all of them, every 50 ms."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._followed: Counter[str] = Counter()
        self._seqs: dict[str, int] = {}
        self._looking: asyncio.Task[None] | None = None

    async def frames(self, run_id: str) -> AsyncGenerator[ServerSentEvent, None]:
        """All events of the run in order, up to the final one, in the form of the stream API.

        Raises `Unavailable` when the database is lost; the stream then ends, and its client goes on at the stream API.
        """
        self._followed[run_id] += 1
        try:
            seq = 0
            while True:
                events = await run_in_threadpool(self._read, run_id, seq)
                for event in events:
                    yield _frame(event)
                if events and events[-1].is_final:
                    return
                seq += len(events)
                await self._behind(run_id, seq)
        finally:
            self._followed[run_id] -= 1
            if not self._followed[run_id]:
                del self._followed[run_id]
                self._seqs.pop(run_id, None)

    async def _behind(self, run_id: str, seq: int) -> None:
        while self._seqs.get(run_id, 0) <= seq:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            await asyncio.shield(self._looking)

    async def _look(self) -> None:
        await asyncio.sleep(_INTERVAL)
        self._seqs |= await run_in_threadpool(self._ask, list(self._followed))

    def _ask(self, run_ids: list[str]) -> dict[str, int]:
        with reading(self._engine) as connection:
            return last_seqs(connection, run_ids)

    def _read(self, run_id: str, after: int) -> list[RunEvent]:
        with reading(self._engine) as connection:
            return read_events(connection, run_id, after, _BATCH)


def _frame(event: RunEvent) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(event.wire()), id=event.cursor, event=event.type)
