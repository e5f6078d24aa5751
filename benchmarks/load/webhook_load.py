"""The load of `benchmarks.scenarios.webhooks`, a process of its own: signed calls at a steady rate, connections kept.

Reads a job as JSON from stdin, writes what it measured as JSON to stdout. A call's latency counts from the moment it
was due, so that a server that falls behind cannot hide it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import time
import uuid
from typing import Any


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
    await reader.readexactly(int(length.partition(b":")[2]))
    return int(head.split(b" ", 2)[1])


def _request(job: dict[str, Any], body: bytes) -> bytes:
    signature = hmac.new(job["secret"].encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST {job['path']} HTTP/1.1\r\nHost: {job['host']}\r\nContent-Type: application/json\r\n"
        f"X-GitHub-Event: push\r\nX-GitHub-Delivery: {uuid.uuid4()}\r\nX-Hub-Signature-256: sha256={signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _connection(job: dict[str, Any], body: bytes, due: asyncio.Queue[float], found: list[list[float]]) -> None:
    reader, writer = await asyncio.open_connection(job["host"], job["port"])
    while (at := await due.get()) >= 0:
        sent = time.perf_counter()
        status = await _exchange(reader, writer, _request(job, body))
        now = time.perf_counter()
        found.append([status, (now - at) * 1000, (now - sent) * 1000])
    writer.close()


async def _load(job: dict[str, Any]) -> list[list[float]]:
    body = job["body"].encode()
    due: asyncio.Queue[float] = asyncio.Queue()
    found: list[list[float]] = []
    connections = [asyncio.create_task(_connection(job, body, due, found)) for _ in range(job["connections"])]
    begin = time.perf_counter() + 0.2
    for number in range(int(job["rate"] * job["seconds"])):
        at = begin + number / job["rate"]
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        due.put_nowait(at)
    for _ in connections:
        due.put_nowait(-1)
    await asyncio.gather(*connections)
    return found


def main() -> None:
    """Measure one job."""
    print(json.dumps(asyncio.run(_load(json.load(sys.stdin)))))


if __name__ == "__main__":
    main()
