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
from tests.integration.stream_api.socket_client import open_socket

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


Seen = list[tuple[int, str, str]]
Read = Callable[[str, str | None, int], Seen]
"""Events of a run behind a cursor, over one connection: so many, or up to the final one."""

RECONNECTS = 100


def over_sse(served: Served, token: str) -> Read:
    client = served.client(token)
    return lambda run_id, cursor, limit: [
        (event["seq"], event["type"], event["message"]) for event in client.events(run_id, cursor, limit=limit)
    ]


def over_websocket(served: Served, token: str) -> Read:
    def read(run_id: str, cursor: str | None, limit: int) -> Seen:
        found: Seen = []
        query = {} if cursor is None else {"cursor": cursor}
        with open_socket(served.url, f"runs/{run_id}/ws", token, **query) as socket:
            while len(found) < limit and not (found and found[-1][1] == "run.succeeded"):
                message = socket.hear()
                if "op" not in message:
                    found.append((message["seq"], message["type"], message["message"]))
        return found

    return read


def follow_with_interruptions(reads: list[Read], run_id: str, seed: int) -> Seen:
    """Read the whole run over many connections to any of several processes.

    Each goes on behind the last event seen, or behind an earlier one: then it must bring the same again.
    """
    chance = random.Random(seed)
    seen: Seen = []
    for _ in range(RECONNECTS):
        back = chance.choice([0, 0, chance.randint(0, len(seen))])
        place = len(seen) - back
        events = chance.choice(reads)(run_id, str(seen[place - 1][0]) if place else None, chance.randint(1, 25))
        assert seen[place:] == events[: len(seen) - place] or len(events) < back
        seen += events[len(seen) - place :]
        if seen[-1][1] == "run.succeeded":
            break
    while seen[-1][1] != "run.succeeded":
        seen += chance.choice(reads)(run_id, str(seen[-1][0]), 10_000)
    return seen


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("transport", [over_sse, over_websocket], ids=["sse", "websocket"])
def test_clients_that_reconnect_to_any_process_see_exactly_the_event_table(
    transport: Callable[[Served, str], Read],
    seed: int,
    serve: Callable[..., Served],
    engine: Engine,
    owner: User,
    token: str,
    database_url: str,
    connection: psycopg.Connection,
) -> None:
    run_id = create_run(engine, owner)
    reads = [transport(serve(), token) for _ in range(2)]
    results: dict[int, Seen] = {}

    def read(number: int) -> None:
        results[number] = follow_with_interruptions(reads, run_id, 100 * seed + number)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(2)]
    writers = [threading.Thread(target=write, args=(database_url, run_id, seed * WRITERS + n)) for n in range(WRITERS)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join(60)
    append(connection, run_id, "run.succeeded")
    for thread in readers:
        thread.join(90)
    expected = table(connection, run_id)
    assert [seq for seq, _, _ in expected] == list(range(1, len(expected) + 1))
    assert results == dict.fromkeys(range(2), expected)
