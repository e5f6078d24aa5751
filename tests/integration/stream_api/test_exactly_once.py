"""Property: a client that comes and goes a hundred times while four writers append sees exactly the event table."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from platform_core.database.engine import plain_url
from platform_core.identity.user_store import User
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import append, create_run, table
from tests.integration.stream_api.socket_client import open_socket

WRITERS = 4
STATEMENTS = 60
RECONNECTS = 100
PROCESSES = 2

Seen = list[tuple[int, str, str]]
Read = Callable[[str, str | None, int], Seen]
"""Events of a run behind a cursor, over one connection: so many, or up to the final one."""


@dataclass(frozen=True)
class Visit:
    """One connection: to which process, from where (a part of what was seen; 1 goes on), for how many events."""

    process: int
    place: float
    limit: int


VISITS = st.lists(
    st.builds(
        Visit,
        process=st.integers(0, PROCESSES - 1),
        place=st.one_of(st.just(1.0), st.floats(0, 1)),
        limit=st.integers(1, 60),
    ),
    min_size=RECONNECTS,
    max_size=RECONNECTS,
)


def write(url: str, run_id: str, seed: int) -> None:
    """Append events of one writer, some of them several to a transaction that holds the run's row."""
    chance = random.Random(seed)
    with psycopg.connect(plain_url(url), autocommit=True) as connection:
        for number in range(STATEMENTS):
            with connection.transaction():
                for _ in range(chance.choice([1, 1, 1, 3])):
                    append(connection, run_id, count=chance.randint(1, 5), message=f"writer {seed}, {number}")


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
            while len(found) < limit and not _is_whole(found):
                message = socket.hear()
                if "op" not in message:
                    found.append((message["seq"], message["type"], message["message"]))
        return found

    return read


def visit_all(reads: list[Read], run_id: str, visits: list[Visit]) -> Seen:
    """The union of all visits, and of a last one to the end; what comes again must be the same again."""
    seen: Seen = []
    for visit in [*visits, Visit(0, 1.0, 1_000_000)]:
        place = round(len(seen) * visit.place)
        if place and _is_whole(seen[:place]):
            place -= 1
        events = reads[visit.process](run_id, str(seen[place - 1][0]) if place else None, visit.limit)
        assert events[: len(seen) - place] == seen[place : place + len(events)]
        seen += events[len(seen) - place :]
    return seen


def _is_whole(seen: Seen) -> bool:
    return bool(seen) and seen[-1][1] == "run.succeeded"


# The servers' threads use `random` while Hypothesis makes examples and believes that it was the strategies.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.parametrize("transport", [over_sse, over_websocket], ids=["sse", "websocket"])
def test_clients_that_reconnect_to_any_process_see_exactly_the_event_table(
    transport: Callable[[Served, str], Read],
    serve: Callable[..., Served],
    engine: Engine,
    owner: User,
    token: str,
    database_url: str,
    connection: psycopg.Connection,
) -> None:
    reads = [transport(serve(), token) for _ in range(PROCESSES)]

    # Each example is a run of its own; shrinking would repeat races that do not repeat.
    @given(visits=VISITS, seed=st.integers(0, 1000))
    @settings(
        max_examples=4,
        deadline=None,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    def the_union_is_the_table(visits: list[Visit], seed: int) -> None:
        run_id = create_run(engine, owner)
        arguments = [(database_url, run_id, seed * WRITERS + number) for number in range(WRITERS)]
        writers = [threading.Thread(target=write, args=one) for one in arguments]

        def end() -> None:
            for writer in writers:
                writer.join()
            append(connection, run_id, "run.succeeded")

        ending = threading.Thread(target=end)
        for thread in [*writers, ending]:
            thread.start()
        try:
            seen = visit_all(reads, run_id, visits)
        finally:
            ending.join()
        assert seen == table(connection, run_id)
        assert [seq for seq, _, _ in seen] == list(range(1, len(seen) + 1))

    the_union_is_the_table()
