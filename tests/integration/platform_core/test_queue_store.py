"""The queue in the database: who waits, what is executed, and places that agree with the order in which runs begin."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from definitions.daemon.queue_policy import Limits, choose
from platform_core.database.tables import runs
from platform_core.errors import RunEnded
from platform_core.graphs.graph_store import save_graph
from platform_core.identity.user_store import create_user, limit_user
from platform_core.runs.queue_store import Depth, claim, list_waiting, positions, read_depth, read_load
from platform_core.runs.run_store import NewRun, accept_run, get_run, request_cancel


class Queue:
    """Users with a graph each, and runs of them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.graphs: dict[str, NewRun] = {}
        for name in ("ada", "eve", "ida"):
            user = create_user(connection, name, "correct horse", "editor").id
            graph, _ = save_graph(
                connection, owner_id=user, name="mill", document="{}", sha256="0" * 64, created_by=user
            )
            self.graphs[name] = NewRun(graph.id, 1, user, {}, "manual")

    def accept(self, owner: str, priority: int = 0) -> str:
        new = self.graphs[owner]
        new = NewRun(new.graph_id, 1, new.owner_id, {}, "manual", priority=priority)
        return accept_run(self.connection, new)[0].run_id

    def submit(self, run_id: str) -> None:
        self.set(run_id, submitted_at=sa.func.clock_timestamp(), status="STARTING")

    def set(self, run_id: str, **columns: object) -> None:
        self.connection.execute(runs.update().where(runs.c.run_id == run_id).values(columns))


@pytest.fixture
def queue(connection: Connection) -> Queue:
    return Queue(connection)


@pytest.mark.parametrize("seed", range(20))
def test_places_are_the_order_in_which_runs_begin(queue: Queue, seed: int) -> None:
    dice = random.Random(seed)
    accepted = [queue.accept(dice.choice(list(queue.graphs)), dice.choice([0, 0, 1, -1])) for _ in range(30)]
    for run_id in dice.sample(accepted, 8):
        queue.submit(run_id)
    waiting = list_waiting(queue.connection, 1000)
    order = choose(waiting, read_load(queue.connection), Limits(1000, None, {}))
    assert len(order) == 22
    assert positions(queue.connection, accepted) == {run.run_id: place for place, run in enumerate(order, 1)}


def test_load_counts_what_dagster_has_and_not_what_waits_or_ended(queue: Queue) -> None:
    first, second, ended, _waiting = (queue.accept(owner) for owner in ("ada", "eve", "ada", "ida"))
    for run_id in (first, second, ended):
        queue.submit(run_id)
    queue.set(second, status="QUEUED")
    queue.set(ended, status="SUCCESS", ended_at=sa.func.clock_timestamp())
    load = read_load(queue.connection)
    ada, eve = queue.graphs["ada"], queue.graphs["eve"]
    assert (load.owners, load.graphs) == (
        Counter([ada.owner_id, eve.owner_id]),
        Counter([ada.graph_id, eve.graph_id]),
    )
    assert (load.runs, load.queued) == (2, 1)


def test_only_the_oldest_of_a_graph_and_priority_are_read_and_each_with_its_owners_limit(queue: Queue) -> None:
    limit_user(queue.connection, "eve", 3)
    many = [queue.accept("ada") for _ in range(5)]
    urgent, other = queue.accept("ada", 9), queue.accept("eve")
    waiting = list_waiting(queue.connection, 2)
    assert {run.run_id for run in waiting} == {*many[:2], urgent, other}
    assert {run.run_id: run.owner_limit for run in waiting}[other] == 3


def test_run_that_waits_ends_with_its_cancellation_and_cannot_be_claimed(queue: Queue) -> None:
    run_id = queue.accept("ada")
    assert claim(queue.connection, run_id)
    run = request_cancel(queue.connection, run_id)
    assert run == get_run(queue.connection, run_id)
    assert (run.status, run.last_seq) == ("CANCELED", 2)
    assert run.error == {"kind": "canceled", "message": "The run was canceled before it began.", "node": None}
    assert not claim(queue.connection, run_id)
    assert positions(queue.connection, [run_id]) == {}
    with pytest.raises(RunEnded):
        request_cancel(queue.connection, run_id)


def test_run_that_dagster_has_is_only_asked_to_end(queue: Queue) -> None:
    run_id = queue.accept("ada")
    queue.submit(run_id)
    assert request_cancel(queue.connection, run_id).status == "STARTING"
    asked = sa.select(runs.c.cancel_requested_at).where(runs.c.run_id == run_id)
    assert queue.connection.execute(asked).scalar_one() is not None


def test_depth_counts_what_waits_and_what_is_executed(queue: Queue, connection: Connection) -> None:
    assert read_depth(connection) == Depth(0, 0.0, 0)
    first, second, third, fourth = (queue.accept("ada") for _ in range(4))
    queue.set(first, created_at=sa.func.clock_timestamp() - sa.text("interval '1 hour'"))
    queue.set(third, cancel_requested_at=sa.func.clock_timestamp())
    depth = read_depth(connection)
    assert (depth.waiting, depth.executed, 3600 <= depth.oldest_seconds < 7200) == (3, 0, True)
    queue.submit(first)
    depth = read_depth(connection)
    assert (depth.waiting, depth.executed, depth.oldest_seconds < 3600) == (2, 1, True)
    for run_id in (first, second, third, fourth):
        queue.set(run_id, ended_at=sa.func.clock_timestamp())
    assert read_depth(connection) == Depth(0, 0.0, 0)
