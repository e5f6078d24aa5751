"""Following a run: every event behind a cursor exactly once, in order, until the final one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from stream_api.hub import Hub
from stream_api.tail import RunPurged
from stream_api.wire import WireEvent


async def follow(hub: Hub, run_id: str, after: int) -> AsyncGenerator[Sequence[WireEvent], None]:
    """Batches of the events with `seq` > `after`; ends behind the final event, or early when the hub closes.

    It subscribes before it reads, so that no event falls between history and live. A run deleted meanwhile ends the
    stream too; who comes back with the cursor learns why.
    """
    with hub.watch(run_id) as tail:
        cursor = after
        while True:
            try:
                events = await tail.read(cursor)
            except RunPurged:
                return
            if not events:
                return
            yield events
            cursor = events[-1].seq
            if events[-1].is_final:
                return
