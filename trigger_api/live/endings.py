"""Waiting for runs to end, for any number of requests at once, without a thread or a connection for each."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool

from platform_core import channels
from platform_core.backoff import Backoff
from platform_core.database.engine import Engine, plain_url, reading
from platform_core.database.listener import Listener
from platform_core.errors import Unavailable
from platform_core.runs.run_store import Run, ended_among

_LISTENING = 1.0
"""Seconds between two looks while notifications come, by which one that was missed is made up for."""
_NEW = 0.05
"""Seconds after which one that is newly awaited, whose end may have been announced before, is asked about."""
_DEAF = 0.02
"""Seconds while none can come."""

_log = logging.getLogger(__name__)


class RunEndings:
    """One short query asks about all awaited runs when one of them may have ended, and only while some are awaited."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._news = asyncio.Event()
        self._to_ask: set[str] = set()
        """Awaited runs of which something was heard, or that are new: their ends may have been announced before."""
        self._is_all_to_ask = True
        self._listener = Listener(
            plain_url(engine.url.render_as_string(hide_password=False)),
            channels.QUEUE,
            name="headrace trigger listener",
            on_payload=self._hear,
            on_connected=self._look,
        )
        self._waiting: defaultdict[str, set[asyncio.Future[Run]]] = defaultdict(set)
        self._asking: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Hear of the ends of runs until canceled; without it they are looked for every 20 ms."""
        await self._listener.run()

    def _hear(self, run_id: str) -> None:
        if run_id in self._waiting:
            self._to_ask.add(run_id)
            self._news.set()

    def _look(self) -> None:
        """After a (re)connection: anything may have been missed."""
        self._is_all_to_ask = True
        self._news.set()

    async def wait(self, run_id: str, seconds: float) -> Run | None:
        """The run as it ended, if it did within `seconds`."""
        ended: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
        self._waiting[run_id].add(ended)
        self._to_ask.add(run_id)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_while_awaited())
        try:
            async with asyncio.timeout(seconds):
                return await ended
        except TimeoutError:
            return None
        finally:
            self._waiting[run_id].discard(ended)
            if not self._waiting[run_id]:
                del self._waiting[run_id]

    async def _ask_while_awaited(self) -> None:
        backoff = Backoff()
        self._news = asyncio.Event()  # of the loop that this task runs in
        while self._waiting:
            self._news.clear()
            try:
                for run in await run_in_threadpool(self._ask, self._taken()):
                    for ended in self._waiting.get(run.run_id, ()):
                        if not ended.done():
                            ended.set_result(run)
                backoff.reset()
                pause = self._pause()
            except Exception as error:
                # The run is accepted all the same: who waits is answered 202 when the time is up.
                self._is_all_to_ask, pause = True, backoff.next_delay()
                trace = None if isinstance(error, Unavailable) else error
                _log.warning("cannot see whether %d awaited runs have ended", len(self._waiting), exc_info=trace)
            await self._rest(pause)

    def _taken(self) -> list[str]:
        """The runs to ask about now."""
        taken = list(self._waiting if self._is_all_to_ask else self._to_ask & self._waiting.keys())
        self._to_ask.clear()
        self._is_all_to_ask = False
        return taken

    def _pause(self) -> float:
        if not self._listener.is_connected:
            return _DEAF
        return _NEW if self._to_ask else _LISTENING

    async def _rest(self, seconds: float) -> None:
        """Until there are news; without any in `seconds`, all that are awaited are asked about."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            self._is_all_to_ask = True

    def _ask(self, run_ids: Sequence[str]) -> Sequence[Run]:
        with reading(self._engine) as connection:
            return ended_among(connection, run_ids)
