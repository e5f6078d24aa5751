"""The load of `benchmarks.webhooks`, a process of its own: signed calls at a steady rate over kept connections.

Reads a job as JSON from stdin, writes what it measured as JSON to stdout. A call's latency counts from the moment it
was due, so that a server that falls behind cannot hide it. It shares the processors with what it measures, so all is
signed before, and answers are read only as far as needed.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import json
import sys
import time
import uuid
from collections import deque
from typing import Any

import uvloop


def _requests(job: dict[str, Any]) -> deque[bytes]:
    """The head of each call, with an id of its own."""
    body = job["body"].encode()
    signature = hmac.new(job["secret"].encode(), body, hashlib.sha256).hexdigest()
    return deque(
        (
            f"POST {job['path']} HTTP/1.1\r\nHost: {job['host']}\r\nContent-Type: application/json\r\n"
            f"X-GitHub-Event: push\r\nX-GitHub-Delivery: {uuid.uuid4()}\r\nX-Hub-Signature-256: sha256={signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        for _ in range(int(job["rate"] * job["seconds"]))
    )


class _Load:
    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.body = job["body"].encode()
        self.requests = _requests(job)
        self.left = len(self.requests)
        self.due: deque[float] = deque()
        self.idle: list[_Caller] = []
        self.answers: list[tuple[int, float, float, float]] = []
        self.ended = asyncio.get_running_loop().create_future()

    async def run(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        for _ in range(self.job["connections"]):
            await loop.create_connection(lambda: _Caller(self), self.job["host"], self.job["port"])
        gc.disable()
        used = time.process_time()
        begin = time.perf_counter() + 0.1
        for number in range(self.left):
            at = begin + number / self.job["rate"]
            if (wait := at - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            self.due.append(at)
            self.proceed()
        await self.ended
        seconds = time.perf_counter() - begin
        return {"answers": self.answers, "seconds": seconds, "cpu_seconds": time.process_time() - used}

    def proceed(self) -> None:
        while self.due and self.idle:
            self.idle.pop().call(self.due.popleft(), self.requests.popleft())


class _Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._load.idle.append(self)

    def call(self, due: float, head: bytes) -> None:
        self._received = b""
        self._due, self._at, self._sent = due, time.time(), time.perf_counter()
        self._transport.writelines([head, self._load.body])

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ended, body = self._received.partition(b"\r\n\r\n")
        if not ended:
            return
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < int(length.partition(b":")[2]):
            return
        now, load = time.perf_counter(), self._load
        status = int(head.split(b" ", 2)[1])
        load.answers.append((status, (now - self._due) * 1000, (now - self._sent) * 1000, self._at))
        load.idle.append(self)
        load.left -= 1
        if not load.left:
            load.ended.set_result(None)
        load.proceed()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._load.ended.done():
            self._load.ended.set_exception(exc or ConnectionError("the server ended a connection"))


async def _run(job: dict[str, Any]) -> dict[str, Any]:
    return await _Load(job).run()


def main() -> None:
    """Measure one job: status, milliseconds since due and since sent, and the time it was sent, of each call."""
    print(json.dumps(uvloop.run(_run(json.load(sys.stdin)))))


if __name__ == "__main__":
    main()
