"""Deliveries that are stored together: each reports its own end, and none takes another with it."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import uuid

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database.engine import build_engine
from platform_core.database.tables import deliveries, run_events, runs
from platform_core.errors import Unavailable
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.graphs.graph_store import save_graph
from platform_core.identity.user_store import User
from platform_core.runs.run_store import NewRun
from platform_core.triggers.delivery_store import REFUSED, Entry, Kept, NewDelivery
from platform_core.triggers.delivery_writer import LARGEST_BATCH, DeliveryWriter
from platform_core.triggers.trigger_store import NewTrigger, list_triggers, sync_triggers
from platform_core.triggers.webhook_store import Webhook, find_webhook, read_webhook
from tests.waiting import wait_until


@pytest.fixture
def webhook(engine: Engine, ada: User) -> Webhook:
    with engine.begin() as connection:
        graph, _ = save_graph(connection, owner_id=ada.id, name="m", document="{}", sha256="0", created_by=ada.id)
        sync_triggers(connection, graph.id, [NewTrigger("on-push", "webhook", {})])
        (trigger,) = list_triggers(connection, graph.id)
        place = find_webhook(connection, str(trigger.webhook_id))
        assert place is not None
        return read_webhook(connection, place, trigger.webhook_id, [])


def entry(webhook: Webhook, key: str, **changes: object) -> Entry:
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
    run = NewRun(
        webhook.graph_id,
        webhook.version,
        webhook.owner_id,
        {"got": key},
        TriggerKind.WEBHOOK,
        webhook.trigger_id,
        {"event": None},
    )
    return dataclasses.replace(Entry(webhook, new, run), **changes)  # type: ignore[arg-type]  # fields of Entry


def write(engine: Engine, entries: list[Entry]) -> list[Kept | BaseException | None]:
    async def all_at_once() -> list[Kept | BaseException | None]:
        writer = DeliveryWriter(engine)
        return await asyncio.gather(*(writer.write(one) for one in entries), return_exceptions=True)

    return asyncio.run(all_at_once())


def count(engine: Engine, table: sa.Table) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_many_are_stored_with_their_runs_in_the_order_of_the_callers(engine: Engine, webhook: Webhook) -> None:
    entries = [entry(webhook, f"d-{number}") for number in range(3 * LARGEST_BATCH)]
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


def test_the_same_key_at_the_same_time_makes_one_run(engine: Engine, webhook: Webhook) -> None:
    kept = [one for one in write(engine, [entry(webhook, "same") for _ in range(20)]) if isinstance(one, Kept)]
    assert len(kept) == 20
    assert [one.is_new for one in kept].count(True) == 1
    assert len({(one.id, one.run_id) for one in kept}) == 1
    assert [count(engine, table) for table in (deliveries, runs)] == [1, 1]


def test_one_that_cannot_be_stored_fails_alone(engine: Engine, webhook: Webhook) -> None:
    nul = entry(webhook, "nul")
    nul = dataclasses.replace(nul, new=dataclasses.replace(nul.new, path="\0"))
    half = entry(webhook, "half")
    half = dataclasses.replace(half, new=dataclasses.replace(half.new, path="\ud800"))
    first, *rest = write(engine, [entry(webhook, "a"), nul, entry(webhook, "b"), half, entry(webhook, "c")])[::2], None
    assert rest == [None]
    assert all(isinstance(one, Kept) and one.is_new for one in first)
    assert [count(engine, table) for table in (deliveries, runs)] == [3, 3]


def test_a_webhook_that_changed_stores_nothing_and_the_others_do(engine: Engine, webhook: Webhook) -> None:
    changed = dataclasses.replace(webhook, version=webhook.version + 1)
    refused = entry(webhook, "refused", run=None, verdict=REFUSED, issues=[{"code": "bad_param"}])
    stale, kept, without_run = write(engine, [entry(changed, "a"), entry(webhook, "b"), refused])
    assert stale is None
    assert isinstance(kept, Kept)
    assert kept.run_id is not None
    assert isinstance(without_run, Kept)
    assert without_run.run_id is None
    assert [count(engine, table) for table in (deliveries, runs)] == [2, 1]


@pytest.mark.parametrize("answers", ["none", "too few", "too many"])
def test_a_defect_of_the_store_is_reported_to_all_callers_and_the_next_ones_are_stored(
    engine: Engine, webhook: Webhook, caplog: pytest.LogCaptureFixture, answers: str
) -> None:
    """No database answers so; a caller that waits must have an answer all the same."""

    def defect(self: DeliveryWriter, entries: list[Entry]) -> list[None]:
        if answers == "none":
            raise RuntimeError("odd")
        return [None] * (len(entries) + (1 if answers == "too many" else -1))

    async def twice() -> list[list[Kept | BaseException | None]]:
        writer = DeliveryWriter(engine)
        told = []
        for is_odd in (True, False):
            with pytest.MonkeyPatch.context() as patch:
                if is_odd:
                    patch.setattr(DeliveryWriter, "_store", defect)
                every = (writer.write(entry(webhook, f"{is_odd}-{number}")) for number in range(LARGEST_BATCH))
                told.append(await asyncio.gather(*every, return_exceptions=True))
        return told

    odd, stored = asyncio.run(twice())
    assert isinstance(odd[-1], Unavailable | None)
    assert answers != "none" or all(isinstance(one, Unavailable) for one in odd)
    assert all(isinstance(one, Kept) for one in stored)
    assert {record.getMessage() for record in caplog.records} == {"A batch of deliveries could not be stored."}


def test_callers_that_wait_when_the_writers_are_cut_off_are_answered(
    engine: Engine, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than the writers have taken: the rest waits for a writer that never takes it."""
    begun, go = threading.Event(), threading.Event()
    under_way: list[int] = []
    stored = DeliveryWriter._store

    def held(self: DeliveryWriter, entries: list[Entry]) -> object:
        under_way.append(1)
        begun.set()
        go.wait(30)
        try:
            return stored(self, entries)
        finally:
            under_way.pop()

    monkeypatch.setattr(DeliveryWriter, "_store", held)

    async def cut_off() -> list[Kept | BaseException | None]:
        writer = DeliveryWriter(engine)
        every = [asyncio.create_task(writer.write(entry(webhook, f"d-{i}"))) for i in range(3 * LARGEST_BATCH)]
        assert await asyncio.to_thread(begun.wait, 30)
        for task in asyncio.all_tasks() - {asyncio.current_task(), *every}:
            task.cancel()
        go.set()
        return await asyncio.wait_for(asyncio.gather(*every, return_exceptions=True), 60)

    told = asyncio.run(cut_off())
    assert [type(one) for one in told] == [Unavailable] * len(told)
    wait_until(lambda: not under_way, "the threads that were cut off have given their connections back")


def test_a_database_away_is_reported_to_all_callers_and_one_that_comes_back_is_used(
    engine: Engine, webhook: Webhook, database_url: str
) -> None:
    nowhere = build_engine("postgresql://nobody@/none?host=/nowhere")
    assert all(isinstance(one, Unavailable) for one in write(nowhere, [entry(webhook, "a"), entry(webhook, "b")]))

    ours = build_engine(database_url, pool_size=1, max_overflow=0, connect_args={"application_name": "cut"})

    async def cut_between() -> None:
        writer = DeliveryWriter(ours)
        assert await writer.write(entry(webhook, "a")) is not None
        with engine.begin() as connection:
            cut = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE application_name = 'cut'"
            connection.execute(sa.text(cut))
        assert await writer.write(entry(webhook, "b")) is not None

    asyncio.run(cut_between())
    ours.dispose()
    assert count(engine, deliveries) == 2
