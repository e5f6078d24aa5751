"""Many followers of event streams, in a process of their own: `python -m benchmarks.load.stream_load`.

It reads one JSON line from its standard input (the address, the token, how many clients, which runs), connects them
all, says `connected`, reads each stream to its end, and prints a line of JSON: what each client saw and how late.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

_FRAME = re.compile(rb"id: (\d+)\nevent: ([a-z.]+)\n")
_TIME = re.compile(rb'"t":([0-9.]+)')


class Client(asyncio.Protocol):
    """One follower. It keeps what comes, and when; it is read afterwards, so that the load does not measure itself."""

    def __init__(self, request: bytes, done: asyncio.Future[None]) -> None:
        self._request = request
        self._done = done
        self._parts: list[tuple[float, bytes]] = []
        self.connected = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parts.append((time.time(), data))
        if not self.connected.done() and b"retry:" in data:
            self.connected.set_result(None)
        if b'"final":true' in data:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def seen(self) -> tuple[list[int], list[float]]:
        """The seqs, and the delays of those events that say when they were written."""
        seqs: list[int] = []
        delays: list[float] = []
        rest = b""
        for at, data in self._parts:
            text = rest + data
            end = text.rfind(b"\n\n") + 2 if b"\n\n" in text else 0
            complete, rest = text[:end], text[end:]
            seqs += [int(seq) for seq, _ in _FRAME.findall(complete)]
            delays += [at - float(stamp) for stamp in _TIME.findall(complete)]
        return seqs, delays


async def follow_all(order: dict[str, Any]) -> dict[str, Any]:
    """Connect every client, say so, and wait for the end of every stream."""
    loop = asyncio.get_running_loop()
    place = urlsplit(order["url"])
    clients, ends = [], []
    for number in range(order["clients"]):
        run_id = order["runs"][number % len(order["runs"])]
        request = (
            f"GET /api/v1/runs/{run_id}/events HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Authorization: Bearer {order['token']}\r\n\r\n"
        ).encode()
        end = loop.create_future()
        client = Client(request, end)
        await loop.create_connection(lambda client=client: client, place.hostname, place.port)  # type: ignore[misc]  # bound now
        clients.append(client)
        ends.append(end)
    async with asyncio.timeout(120):
        await asyncio.gather(*(client.connected for client in clients))
    print("connected", flush=True)
    async with asyncio.timeout(300):
        await asyncio.gather(*ends)
    used = time.process_time()
    seen = [client.seen() for client in clients]
    return {
        "whole": sum(seqs == list(range(1, len(seqs) + 1)) for seqs, _ in seen),
        "events": sorted({len(seqs) for seqs, _ in seen}),
        "delays": [delay for _, delays in seen for delay in delays],
        "processor_seconds": used,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(follow_all(json.loads(sys.stdin.readline())))))
