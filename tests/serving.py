"""Serving an application on a loopback port for as long as a test needs it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import uvicorn
from starlette.types import ASGIApp

from tests.waiting import wait_until


class PromptEnd(uvicorn.Server):
    """Ends when it is asked to, not a tenth of a second later, and waits for nobody if nobody is connected."""

    _ends: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def end(self) -> None:
        """Ask it to end; for any thread."""
        self.should_exit = True
        if self._ends is not None:
            loop, event = self._ends
            loop.call_soon_threadsafe(event.set)

    async def main_loop(self) -> None:
        event = asyncio.Event()
        self._ends = (asyncio.get_running_loop(), event)
        if self.should_exit:
            return
        ticks = asyncio.ensure_future(super().main_loop())
        asked = asyncio.ensure_future(event.wait())
        await asyncio.wait((ticks, asked), return_when=asyncio.FIRST_COMPLETED)
        for task in (ticks, asked):
            task.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for _ in range(3):
            await asyncio.sleep(0)  # clients that closed their connections are gone then
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
        else:
            for listening in sockets or ():
                listening.close()
            await self.lifespan.shutdown()


@contextmanager
def served(
    app: ASGIApp, lifespan: Literal["on", "off"] = "on", listening: socket.socket | None = None, **options: Any
) -> Iterator[str]:
    """The address at which the application answers, from a thread of its own, as in production.

    `options` are uvicorn's.
    """
    listening = listening or socket.create_server(("127.0.0.1", 0))
    plain: dict[str, Any] = {"ws": "none", "log_config": None, "access_log": False, "proxy_headers": False}
    server = PromptEnd(uvicorn.Config(app, lifespan=lifespan, **plain | options))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), "the application is served")
        scheme = "https" if server.config.is_ssl else "http"
        is_local = listening.family == socket.AF_UNIX
        yield "http://localhost" if is_local else f"{scheme}://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.end()
        thread.join()
        listening.close()
