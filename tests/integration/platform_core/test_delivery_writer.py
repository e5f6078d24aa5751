"""Deliveries that are stored together: each is told its own end, and none takes another with it."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database.engine import build_engine
from platform_core.database.tables import deliveries, run_events, runs
from platform_core.errors import Unavailable
from platform_core.graphs.graph_store import save_graph
from platform_core.identity.user_store import User
from platform_core.runs.run_store import NewRun
from platform_core.triggers.delivery_store import REFUSED, Entry, Kept, NewDelivery
from platform_core.triggers.delivery_writer import LARGEST_BATCH, DeliveryWriter
from platform_core.triggers.hook_store import Hook, find_hook, read_hook
from platform_core.triggers.trigger_store import NewTrigger, list_triggers, sync_triggers


@pytest.fixture
def hook(engine: Engine, ada: User) -> Hook:
    with engine.begin() as connection:
        graph, _ = save_graph(connection, owner_id=ada.id, name="m", document="{}", sha256="0", created_by=ada.id)
        sync_triggers(connection, graph.id, [NewTrigger("on-push", "webhook", {})])
        (trigger,) = list_triggers(connection, graph.id)
        place = find_hook(connection, str(trigger.hook_id))
        assert place is not None
        return read_hook(connection, place, trigger.hook_id, [])


def entry(hook: Hook, key: str, **changes: object) -> Entry:
    new = NewDelivery(
        id=str(uuid.uuid4()),
        delivery_key=key,
        method="POST",
        path="",
        query={},
        headers={"x": key},
        body=b"\0{}",
        body_size=3,
    )
    run = NewRun(hook.graph_id, hook.version, hook.owner_id, {"got": key}, "webhook", hook.trigger_id, {"event": None})
    return dataclasses.replace(Entry(hook, new, run), **changes)  # type: ignore[arg-type]


def write(engine: Engine, entries: list[Entry]) -> list[Kept | BaseException | None]:
    async def all_at_once() -> list[Kept | BaseException | None]:
        writer = DeliveryWriter(engine)
        return await asyncio.gather(*(writer.write(one) for one in entries), return_exceptions=True)

    return asyncio.run(all_at_once())


def count(engine: Engine, table: sa.Table) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_many_are_stored_with_their_runs_in_the_order_of_the_callers(engine: Engine, hook: Hook) -> None:
    entries = [entry(hook, f"d-{number}") for number in range(3 * LARGEST_BATCH)]
    kept = write(engine, entries)
    assert [one.id for one in kept if isinstance(one, Kept) and one.is_new] == [one.new.id for one in entries]
    assert [count(engine, table) for table in (deliveries, runs, run_events)] == [len(entries)] * 3
    with engine.connect() as connection:
        query = sa.select(
            deliveries.c.headers, runs.c.params, runs.c.idempotency_key, deliveries.c.id, deliveries.c.body
        )
        rows = connection.execute(query.join(runs, runs.c.run_id == deliveries.c.run_id)).all()
    assert all(row.headers["x"] == row.params["got"] and row.body == b"\0{}" for row in rows)
    assert all(row.idempotency_key == f":delivery:{row.id}" for row in rows)


def test_the_same_key_at_the_same_time_makes_one_run(engine: Engine, hook: Hook) -> None:
    kept = [one for one in write(engine, [entry(hook, "same") for _ in range(20)]) if isinstance(one, Kept)]
    assert len(kept) == 20
    assert [one.is_new for one in kept].count(True) == 1
    assert len({(one.id, one.run_id) for one in kept}) == 1
    assert [count(engine, table) for table in (deliveries, runs)] == [1, 1]


def test_one_that_cannot_be_stored_fails_alone(engine: Engine, hook: Hook) -> None:
    nul = entry(hook, "nul")
    nul = dataclasses.replace(nul, new=dataclasses.replace(nul.new, path="\0"))
    half = entry(hook, "half")
    half = dataclasses.replace(half, new=dataclasses.replace(half.new, path="\ud800"))
    first, *rest = write(engine, [entry(hook, "a"), nul, entry(hook, "b"), half, entry(hook, "c")])[::2], None
    assert rest == [None]
    assert all(isinstance(one, Kept) and one.is_new for one in first)
    assert [count(engine, table) for table in (deliveries, runs)] == [3, 3]


def test_a_webhook_that_changed_stores_nothing_and_the_others_do(engine: Engine, hook: Hook) -> None:
    changed = dataclasses.replace(hook, version=hook.version + 1)
    refused = entry(hook, "refused", run=None, verdict=REFUSED, issues=[{"code": "bad_param"}])
    stale, kept, without_run = write(engine, [entry(changed, "a"), entry(hook, "b"), refused])
    assert stale is None
    assert isinstance(kept, Kept)
    assert kept.run_id is not None
    assert isinstance(without_run, Kept)
    assert without_run.run_id is None
    assert [count(engine, table) for table in (deliveries, runs)] == [2, 1]


def test_a_database_away_is_told_to_all_and_one_that_comes_back_is_used(
    engine: Engine, hook: Hook, database_url: str
) -> None:
    nowhere = build_engine("postgresql://nobody@/none?host=/nowhere")
    assert all(isinstance(one, Unavailable) for one in write(nowhere, [entry(hook, "a"), entry(hook, "b")]))

    ours = build_engine(database_url, pool_size=1, max_overflow=0, connect_args={"application_name": "cut"})

    async def cut_between() -> None:
        writer = DeliveryWriter(ours)
        assert await writer.write(entry(hook, "a")) is not None
        with engine.begin() as connection:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut'"
            connection.execute(sa.text(cut))
        assert await writer.write(entry(hook, "b")) is not None

    asyncio.run(cut_between())
    ours.dispose()
    assert count(engine, deliveries) == 2
