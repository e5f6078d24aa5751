"""A client that comes and goes while several writers append sees exactly the event table."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy.engine import Engine

from platform_core.database import plain_url
from platform_core.user_store import User
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import append, create_run, table
from tests.integration.stream_api.sse_client import SseClient

WRITERS = 4
STATEMENTS = 60


def write(url: str, run_id: str, seed: int) -> None:
    """Append events of one writer, some of them several to a transaction that holds the run's row."""
    chance = random.Random(seed)
    with psycopg.connect(plain_url(url), autocommit=True) as connection:
        for number in range(STATEMENTS):
            with connection.transaction():
                for _ in range(chance.choice([1, 1, 1, 3])):
                    append(connection, run_id, count=chance.randint(1, 5), message=f"writer {seed}, {number}")


def follow_with_interruptions(client: SseClient, run_id: str, seed: int) -> list[tuple[int, str, str]]:
    """Read the whole run over many connections, each continued behind the last event seen."""
    chance = random.Random(seed)
    seen: list[tuple[int, str, str]] = []
    while not seen or seen[-1][1] != "run.succeeded":
        cursor = str(seen[-1][0]) if seen else None
        events = client.events(run_id, cursor, limit=chance.randint(1, 25))
        seen += [(event["seq"], event["type"], event["message"]) for event in events]
    return seen


@pytest.mark.parametrize("seed", range(3))
def test_reconnecting_clients_see_exactly_the_event_table(
    seed: int,
    serve: Callable[..., Served],
    engine: Engine,
    owner: User,
    token: str,
    database_url: str,
    connection: psycopg.Connection,
) -> None:
    run_id = create_run(engine, owner)
    client = serve().client(token)
    results: dict[int, list[tuple[int, str, str]]] = {}

    def read(number: int) -> None:
        results[number] = follow_with_interruptions(client, run_id, 100 * seed + number)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(3)]
    writers = [threading.Thread(target=write, args=(database_url, run_id, seed * WRITERS + n)) for n in range(WRITERS)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join(60)
    append(connection, run_id, "run.succeeded")
    for thread in readers:
        thread.join(60)
    expected = table(connection, run_id)
    assert [seq for seq, _, _ in expected] == list(range(1, len(expected) + 1))
    assert results == dict.fromkeys(range(3), expected)
