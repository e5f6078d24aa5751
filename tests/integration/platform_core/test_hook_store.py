"""Webhooks by their addresses, through changes of their graph, their secrets and the addresses themselves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from platform_core.graphs.graph_store import Graph, delete_graph, save_graph
from platform_core.identity.keys import KeyRing
from platform_core.identity.secret_store import delete_secret, put_secret
from platform_core.identity.user_store import User
from platform_core.triggers.hook_store import (
    LIVE_HOOKS,
    Guard,
    Hook,
    find_hook,
    find_trigger,
    read_hook,
    rotate_hook,
    take_call,
)
from platform_core.triggers.trigger_store import NewTrigger, list_triggers, sync_triggers

PUSH = NewTrigger("on-push", "webhook", {})


@pytest.fixture
def graph(connection: Connection, ada: User) -> Graph:
    graph, _ = save_graph(connection, owner_id=ada.id, name="m", document="{}", sha256="0", created_by=ada.id)
    sync_triggers(connection, graph.id, [PUSH])
    return graph


def address(connection: Connection, graph: Graph) -> str:
    (trigger,) = list_triggers(connection, graph.id)
    assert trigger.hook_id is not None
    return trigger.hook_id


def read(connection: Connection, graph: Graph) -> Hook:
    hook_id = address(connection, graph)
    place = find_hook(connection, hook_id)
    assert place is not None
    return read_hook(connection, place, hook_id, ["new", "old"])


def is_live(connection: Connection, hook: Hook) -> bool:
    guard = ", ".join(f":{name} AS {name}" for name in Guard._fields)
    query = sa.text(f"WITH guards AS (SELECT 0 AS place, {guard}) {LIVE_HOOKS}")
    return connection.execute(query, hook.guard._asdict()).first() is not None


def test_a_hook_knows_owner_and_current_version_until_its_graph_goes(
    connection: Connection, graph: Graph, ada: User
) -> None:
    hook = read(connection, graph)
    assert (hook.graph_id, hook.graph, hook.owner_id, hook.version) == (graph.id, "m", ada.id, 1)
    assert is_live(connection, hook)
    delete_graph(connection, graph.id)
    assert not is_live(connection, hook)
    assert find_hook(connection, str(hook.hook_id)) is None
    assert find_trigger(connection, hook.trigger) is None


def test_every_change_that_matters_ends_what_is_known(
    connection: Connection, graph: Graph, ada: User, keys: KeyRing
) -> None:
    put_secret(connection, keys, ada.id, "old", "1")
    put_secret(connection, keys, ada.id, "unused", "1")
    known = [read(connection, graph)]

    def assert_changed() -> None:
        assert not is_live(connection, known[-1])
        known.append(read(connection, graph))
        assert is_live(connection, known[-1])

    put_secret(connection, keys, ada.id, "unused", "2")
    assert is_live(connection, known[-1])
    put_secret(connection, keys, ada.id, "old", "2")
    assert_changed()
    put_secret(connection, keys, ada.id, "new", "1")
    assert_changed()
    delete_secret(connection, ada.id, "old")
    assert_changed()
    save_graph(connection, owner_id=ada.id, name="m", document="{ }", sha256="1", created_by=ada.id)
    assert_changed()
    rotate_hook(connection, known[-1].trigger, 0)
    assert_changed()
    connection.execute(sa.text("UPDATE headrace.triggers SET enabled = false"))
    assert not is_live(connection, known[-1])
    sync_triggers(connection, graph.id, [])
    assert find_hook(connection, str(known[-1].hook_id)) is None


def test_two_addresses_live_during_the_overlap_and_never_three(connection: Connection, graph: Graph) -> None:
    first = address(connection, graph)
    trigger = read(connection, graph).trigger
    second, until = rotate_hook(connection, trigger, 3600)
    assert until is not None
    assert [find_hook(connection, hook_id) is not None for hook_id in (first, second)] == [True, True]
    third, _ = rotate_hook(connection, trigger, 3600)
    assert [find_hook(connection, hook_id) is not None for hook_id in (first, second, third)] == [False, True, True]
    connection.execute(sa.text("UPDATE headrace.triggers SET previous_hook_until = clock_timestamp()"))
    assert [find_hook(connection, hook_id) is not None for hook_id in (second, third)] == [False, True]


def test_no_more_calls_pass_than_the_limit_whoever_counts(engine: Engine, ada: User) -> None:
    with engine.begin() as connection:
        saved, _ = save_graph(connection, owner_id=ada.id, name="m", document="{}", sha256="0", created_by=ada.id)
        sync_triggers(connection, saved.id, [PUSH])
        trigger = read(connection, saved).trigger

    def take(_: int) -> float:
        with engine.begin() as connection:
            return take_call(connection, trigger, 7, 3600.0)

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(take, range(30)))
    assert waits.count(0.0) == 7
    assert all(500 < wait < 515 for wait in waits if wait)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE headrace.hook_rates SET free_at = clock_timestamp() - interval '1 day'"))
    assert [take(0) for _ in range(8)].count(0.0) == 7
