"""Triggers through the versions of their graph, and the deliveries they take."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.engine import Connection, Engine

from platform_core.errors import TriggerNotFound
from platform_core.graphs.graph_store import Graph, save_graph
from platform_core.identity.user_store import User
from platform_core.triggers.trigger_store import NewTrigger, Trigger, get_trigger, list_triggers, sync_triggers

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
    changed = {"verify": {"scheme": "github", "secret": "other"}}
    sync_triggers(connection, graph.id, [replace(PUSH, config=changed)])
    after = _only(connection, graph)
    assert after == replace(before, config=changed, updated_at=after.updated_at)


def test_a_trigger_is_got_by_its_name_while_the_graph_has_it(connection: Connection, graph: Graph) -> None:
    sync_triggers(connection, graph.id, [PUSH])
    assert get_trigger(connection, graph.id, "on-push") == _only(connection, graph)
    sync_triggers(connection, graph.id, [])
    with pytest.raises(TriggerNotFound):
        get_trigger(connection, graph.id, "on-push")
