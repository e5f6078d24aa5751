"""Triggers through the versions of their graph, and the deliveries they take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from platform_core.delivery_store import Delivery, connect_run, record_delivery, refuse_delivery
from platform_core.graph_store import Graph, delete_graph, save_graph
from platform_core.tables import triggers
from platform_core.trigger_store import NewTrigger, Trigger, find_hook, list_triggers, sync_triggers
from platform_core.user_store import User

PUSH = NewTrigger("on-push", "webhook", {"verify": {"scheme": "github", "secret": "s"}})
NIGHTLY = NewTrigger("nightly", "schedule", {"cron": "0 3 * * *"})


@pytest.fixture
def graph(engine: Engine, ada: User) -> Graph:
    with engine.begin() as connection:
        return save_graph(connection, owner_id=ada.id, name="mill", document="{}", sha256="0" * 64, created_by=ada.id)[
            0
        ]


def _only(connection: Connection, graph: Graph) -> Trigger:
    (trigger,) = list_triggers(connection, graph.id)
    return trigger


def test_a_webhook_gets_an_address_and_nothing_else_does(connection: Connection, graph: Graph) -> None:
    sync_triggers(connection, graph.id, [PUSH, NIGHTLY])
    nightly, push = list_triggers(connection, graph.id)
    assert (nightly.trigger_id, nightly.hook_id, nightly.config) == ("nightly", None, NIGHTLY.config)
    assert (push.trigger_id, push.config, push.enabled) == ("on-push", PUSH.config, True)
    assert push.hook_id is not None
    assert len(push.hook_id) == 32


def test_a_webhook_keeps_its_address_and_state_through_changes_and_removal(
    connection: Connection, graph: Graph
) -> None:
    sync_triggers(connection, graph.id, [replace(PUSH, enabled=False)])
    before = _only(connection, graph)
    sync_triggers(connection, graph.id, [])
    assert list_triggers(connection, graph.id) == []
    assert find_hook(connection, str(before.hook_id)) is None
    changed = {"verify": {"scheme": "github", "secret": "other"}}
    sync_triggers(connection, graph.id, [replace(PUSH, config=changed)])
    after = _only(connection, graph)
    assert after == replace(before, config=changed, updated_at=after.updated_at)


def test_a_hook_knows_owner_and_current_version_until_its_graph_goes(
    connection: Connection, graph: Graph, ada: User
) -> None:
    sync_triggers(connection, graph.id, [PUSH])
    trigger = _only(connection, graph)
    hook = find_hook(connection, str(trigger.hook_id))
    assert hook is not None
    assert (hook.trigger, hook.graph_id, hook.owner_id, hook.version) == (trigger, graph.id, ada.id, 1)
    delete_graph(connection, graph.id)
    assert find_hook(connection, str(trigger.hook_id)) is None


def _record(connection: Connection, trigger: Trigger, key: str = "d-1", **changes: Any) -> tuple[Delivery, bool]:
    call = {"method": "POST", "headers": {"content-type": "application/json"}, "body": b"{}", **changes}
    return record_delivery(connection, trigger=trigger.id, delivery_key=key, **call)


def test_an_accepted_delivery_is_stored_once(connection: Connection, graph: Graph) -> None:
    sync_triggers(connection, graph.id, [PUSH])
    trigger = _only(connection, graph)
    first, is_new = _record(connection, trigger)
    connect_run(connection, first.id, "run-1")
    again, again_is_new = _record(connection, trigger, body=b"[]")
    assert (is_new, again_is_new) == (True, False)
    assert again == replace(first, run_id="run-1")


def test_a_refused_delivery_may_come_again(connection: Connection, graph: Graph) -> None:
    sync_triggers(connection, graph.id, [PUSH])
    trigger = _only(connection, graph)
    first, _ = _record(connection, trigger)
    refuse_delivery(connection, first.id, [{"code": "x"}])
    again, is_new = _record(connection, trigger, body=b"[]")
    assert (again.id, again.verdict, again.issues, is_new) == (first.id, "accepted", None, True)


def test_of_deliveries_at_the_same_time_one_is_new(engine: Engine, graph: Graph) -> None:
    with engine.begin() as connection:
        sync_triggers(connection, graph.id, [PUSH])
        trigger = _only(connection, graph)

    def deliver(_: int) -> bool:
        with engine.begin() as connection:
            return _record(connection, trigger)[1]

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(deliver, range(8))) == 1
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(triggers)).scalar_one() == 1
