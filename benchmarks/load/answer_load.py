"""The load of `benchmarks.scenarios.answers`, a process of its own: each connection sends its next call when answered.

Reads a job as JSON from stdin, writes the seconds of each call as JSON to stdout.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

_BODY = b'{"x": 21}'


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert b" 200 " in head.split(b"\r\n", 1)[0], head
    if b"transfer-encoding: chunked" in head:
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        return body
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return await reader.readexactly(int(length.partition(b":")[2]))


async def _connection(job: dict[str, Any], until: float, found: list[float]) -> None:
    reader, writer = await asyncio.open_connection(job["host"], job["port"])
    head = f"POST {job['path']} HTTP/1.1\r\nHost: {job['host']}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(_BODY)}\r\n\r\n".encode() + _BODY
    while time.perf_counter() < until:
        sent = time.perf_counter()
        answer = await _exchange(reader, writer, request)
        found.append(time.perf_counter() - sent)
        assert b"42" in answer, answer
    writer.close()


async def _load(job: dict[str, Any]) -> list[float]:
    found: list[float] = []
    until = time.perf_counter() + job["seconds"]
    await asyncio.gather(*(_connection(job, until, found) for _ in range(job["connections"])))
    return found


def main() -> None:
    """Measure one job."""
    print(json.dumps(asyncio.run(_load(json.load(sys.stdin)))))


if __name__ == "__main__":
    main()
