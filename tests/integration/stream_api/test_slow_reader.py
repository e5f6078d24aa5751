"""A reader that does not keep up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import psutil
import psycopg
from sqlalchemy.engine import Engine

from platform_core.identity.user_store import User
from platform_core.settings import Settings
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import append, create_run
from tests.integration.stream_api.sse_client import Block, SseClient
from tests.integration.stream_api.test_operation import server_process

COUNT = 3000
"""With 4 kB each this is more than the socket buffers and the window hold together."""

READERS = 40
LARGE_RUN = 6_000


def test_a_slow_reader_blocks_nobody_and_misses_nothing(
    serve: Callable[..., Served], engine: Engine, owner: User, token: str, connection: psycopg.Connection
) -> None:
    run_id = create_run(engine, owner)
    client = serve().client(token)
    with client.open(run_id) as slow:
        next(slow)
        with client.open(run_id) as fast:
            next(fast)
            for _ in range(COUNT // 100):
                append(connection, run_id, count=100, message="x" * 4000)
            append(connection, run_id, "run.succeeded")
            assert ids(fast) == list(range(1, COUNT + 3))
        assert ids(slow) == list(range(1, COUNT + 3))


def ids(blocks: Iterator[Block]) -> list[int]:
    return [int(block.id) for block in blocks if block.id is not None]


def test_slow_readers_cost_no_memory(
    settings: Settings, engine: Engine, owner: User, token: str, connection: psycopg.Connection
) -> None:
    """Queued for each of them, the events would take 1 GB."""
    run_id = create_run(engine, owner)
    with server_process(settings) as (process, url, _), httpx.Client(timeout=60) as http, ExitStack() as stack:
        client = SseClient(url, token, http)
        slow = [stack.enter_context(client.open(run_id)) for _ in range(READERS)]
        for blocks in slow:
            next(blocks)
        before = psutil.Process(process.pid).memory_info().rss
        with client.open(run_id) as fast:
            for _ in range(LARGE_RUN // 200):
                append(connection, run_id, count=200, message="x" * 4000)
            append(connection, run_id, "run.succeeded")
            assert ids(fast) == list(range(1, LARGE_RUN + 3))
        assert psutil.Process(process.pid).memory_info().rss - before < 150 * 2**20
        assert ids(slow[-1]) == list(range(1, LARGE_RUN + 3))
