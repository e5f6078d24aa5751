"""Graphs, their immutable versions, and who finds them."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import Connection, Engine

from platform_core import channels
from platform_core.database.engine import plain_url
from platform_core.errors import GraphExists, PreconditionFailed, VersionNotFound
from platform_core.graphs.graph_store import (
    Graph,
    Saved,
    all_graphs,
    delete_graph,
    get_version,
    list_graphs,
    list_versions,
    resolve_graph,
    save_graph,
)
from platform_core.identity.user_store import User, create_user


def _save(connection: Connection, owner: User, text: str, name: str = "mill", **options: Any) -> tuple[Graph, Saved]:
    return save_graph(
        connection,
        owner_id=owner.id,
        name=name,
        document=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        created_by=owner.id,
        **options,
    )


def test_new_content_is_a_new_version_and_old_content_its_old_one(connection: Connection, ada: User) -> None:
    history = [(graph.version, saved) for graph, saved in (_save(connection, ada, text) for text in "abbab")]
    assert history == [
        (1, Saved.CREATED),
        (2, Saved.NEW_VERSION),
        (2, Saved.UNCHANGED),
        (1, Saved.NEW_VERSION),
        (2, Saved.NEW_VERSION),
    ]
    graph = all_graphs(connection)[0]
    assert [version.version for version in list_versions(connection, graph.id).items] == [2, 1]
    assert get_version(connection, graph.id, 1).document == "a"
    with pytest.raises(VersionNotFound):
        get_version(connection, graph.id, 3)


def test_annotations_change_beside_a_version_and_its_etag(connection: Connection, ada: User) -> None:
    saves = [("a", None), ("a", "{}"), ("a", "{}"), ("b", "{}"), ("a", "[]"), ("a", None)]
    found = [_save(connection, ada, text, annotations=beside) for text, beside in saves]
    assert [(graph.version, saved) for graph, saved in found] == [
        (1, Saved.CREATED),
        (1, Saved.ANNOTATED),
        (1, Saved.UNCHANGED),
        (2, Saved.NEW_VERSION),
        (1, Saved.NEW_VERSION),
        (1, Saved.ANNOTATED),
    ]
    etags = [graph.etag for graph, _ in found]
    assert etags[0] == etags[5]
    assert len(set(etags)) == 4
    graph = found[0][0]
    versions = [(each.document, each.annotations) for each in list_versions(connection, graph.id).items]
    assert versions == [("b", "{}"), ("a", None)]


def test_other_annotations_obey_the_conditions_of_other_content(connection: Connection, ada: User) -> None:
    first = _save(connection, ada, "a")[0]
    second = _save(connection, ada, "a", annotations="{}", if_match=first.etag)[0]
    with pytest.raises(PreconditionFailed):
        _save(connection, ada, "a", annotations="[]", if_match=first.etag)
    with pytest.raises(GraphExists):
        _save(connection, ada, "a", annotations="[]", must_not_exist=True)
    assert _save(connection, ada, "a", annotations="{}", if_match=first.etag) == (second, Saved.UNCHANGED)


def test_creating_demands_a_free_name_or_the_same_content(connection: Connection, ada: User) -> None:
    _save(connection, ada, "a", must_not_exist=True)
    assert _save(connection, ada, "a", must_not_exist=True)[1] is Saved.UNCHANGED
    with pytest.raises(GraphExists) as refused:
        _save(connection, ada, "b", must_not_exist=True)
    assert refused.value.extensions == {"etag": all_graphs(connection)[0].etag}


def test_if_match_demands_the_present_version(connection: Connection, ada: User) -> None:
    with pytest.raises(PreconditionFailed, match="no graph mill"):
        _save(connection, ada, "a", if_match="*")
    connection.rollback()
    first = _save(connection, ada, "a")[0]
    second = _save(connection, ada, "b", if_match=f'"9-0", {first.etag}')[0]
    with pytest.raises(PreconditionFailed) as refused:
        _save(connection, ada, "c", if_match=first.etag)
    assert refused.value.extensions == {"etag": second.etag}
    assert _save(connection, ada, "b", if_match=first.etag)[1] is Saved.UNCHANGED
    with pytest.raises(PreconditionFailed):
        delete_graph(connection, first.id, if_match=first.etag)
    delete_graph(connection, first.id, if_match="*")


def test_saves_at_the_same_time_give_gapless_versions(engine: Engine, ada: User) -> None:
    def save(number: int) -> int:
        with engine.begin() as connection:
            return _save(connection, ada, str(number))[0].version

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(save, range(8))) == list(range(1, 9))
    with engine.connect() as connection:
        graph = all_graphs(connection)[0]
        assert get_version(connection, graph.id, graph.version).sha256 == graph.sha256


def test_a_graph_is_found_by_name_owner_and_id_by_those_who_may(connection: Connection, ada: User) -> None:
    bob = create_user(connection, "bob", "correct horse", "editor")
    graph = _save(connection, ada, "a")[0]
    for reference in ("mill", "ada~mill", graph.id):
        assert resolve_graph(connection, ada.id, reference, False) == graph
    for reference in ("mill", "ada~mill", graph.id):
        assert resolve_graph(connection, bob.id, reference, False) is None
    for reference in ("ada~mill", graph.id):
        assert resolve_graph(connection, bob.id, reference, True) == graph
    for reference in ("", "no", "Ada~mill", "ada~", "~mill", "mill\0", "a" * 200):
        assert resolve_graph(connection, ada.id, reference, True) is None


def test_a_deleted_graph_frees_its_name_and_keeps_its_versions(connection: Connection, ada: User) -> None:
    graph = _save(connection, ada, "a")[0]
    delete_graph(connection, graph.id)
    delete_graph(connection, graph.id)
    assert resolve_graph(connection, ada.id, "mill", False) is None
    assert resolve_graph(connection, ada.id, graph.id, False) is None
    assert get_version(connection, graph.id, 1).document == "a"
    again, saved = _save(connection, ada, "a")
    assert (again.version, saved, again.id != graph.id) == (1, Saved.CREATED, True)


def test_lists_hold_one_owners_graphs_or_all_by_name(connection: Connection, ada: User) -> None:
    bob = create_user(connection, "bob", "correct horse", "editor")
    for owner, name in ((ada, "b"), (bob, "a"), (ada, "a"), (ada, "c")):
        _save(connection, owner, "x", name)
    first = list_graphs(connection, limit=3)
    rest = list_graphs(connection, limit=3, cursor=first.next_cursor)
    seen = [(graph.name, graph.owner) for graph in first.items + rest.items]
    assert (seen, rest.next_cursor) == ([("a", "ada"), ("a", "bob"), ("b", "ada"), ("c", "ada")], None)
    assert [graph.name for graph in list_graphs(connection, owner_id=bob.id).items] == ["a"]
    assert len(all_graphs(connection)) == 4


def test_every_change_is_announced_and_nothing_else_is(engine: Engine, ada: User, database_url: str) -> None:
    with psycopg.connect(plain_url(database_url), autocommit=True) as listener:
        listener.execute(f"LISTEN {channels.GRAPHS}")
        with engine.begin() as connection:
            graph = _save(connection, ada, "a")[0]
        with engine.begin() as connection:
            _save(connection, ada, "a")
        with engine.begin() as connection:
            _save(connection, ada, "b")
        with engine.begin() as connection:
            delete_graph(connection, graph.id)
        heard = [notify.payload for notify in listener.notifies(timeout=10, stop_after=3)]
        assert heard == [graph.id] * 3
        assert list(listener.notifies(timeout=0)) == []
