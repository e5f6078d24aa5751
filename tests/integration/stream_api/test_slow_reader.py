"""A reader that does not keep up."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
from sqlalchemy.engine import Engine

from platform_core.user_store import User
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import append, create_run

COUNT = 3000
"""With 4 kB each this is more than the socket buffers and the window hold together."""


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
            assert [block.id for block in fast] == [str(seq) for seq in range(1, COUNT + 3)]
        assert [block.id for block in slow] == [str(seq) for seq in range(1, COUNT + 3)]
