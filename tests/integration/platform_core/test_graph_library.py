"""The graphs of one owner, as documents that call them find them."""

from __future__ import annotations

import json

from sqlalchemy.engine import Connection, Engine

from graph_compiler.language.library import CalledGraph, Calls, NotCallable
from graph_compiler.values.canonical import content_hash
from platform_core.graphs.graph_library import OwnedGraphs
from platform_core.graphs.graph_store import Graph, delete_graph, save_graph
from platform_core.identity.user_store import User, create_user


def document(value: int, name: str = "mill") -> str:
    nodes = [{"config": {"value": value}, "id": "a", "type": "transform"}]
    return json.dumps({"name": name, "nodes": nodes, "spec_version": 1}, separators=(",", ":"), sort_keys=True)


def save(connection: Connection, owner: User, text: str, name: str = "mill") -> Graph:
    return save_graph(
        connection, owner_id=owner.id, name=name, document=text, sha256=content_hash(text), created_by=owner.id
    )[0]


def test_latest_is_the_current_version_even_when_an_older_one_became_current_again(engine: Engine, ada: User) -> None:
    library = OwnedGraphs(engine.connect, ada.id)
    assert library.latest("mill") is None
    for value, current in ((1, 1), (2, 2), (1, 1)):
        with engine.begin() as connection:
            save(connection, ada, document(value))
        assert library.latest("mill") == current


def test_every_version_has_its_document_and_no_other(engine: Engine, ada: User) -> None:
    with engine.begin() as connection:
        save(connection, ada, document(1))
        save(connection, ada, document(2))
        save(connection, ada, document(3, "weir"), "weir")
    library = OwnedGraphs(engine.connect, ada.id)
    assert [library.document("mill", version, None) for version in (1, 2, 3)] == [document(1), document(2), None]
    assert library.document("mill", 1, content_hash(document(1))) == document(1)
    assert library.document("mill", 1, content_hash(document(2))) is None
    assert library.document("weir", 1, None) == document(3, "weir")
    assert library.document("race", 1, None) is None


def test_a_deleted_graph_is_found_by_its_hash_only(engine: Engine, ada: User) -> None:
    with engine.begin() as connection:
        deleted = save(connection, ada, document(1))
        delete_graph(connection, deleted.id, if_match="*")
    library = OwnedGraphs(engine.connect, ada.id)
    assert library.latest("mill") is None
    assert library.document("mill", 1, None) is None
    assert library.document("mill", 1, content_hash(document(1))) == document(1)


def test_a_new_graph_of_a_deleted_ones_name_does_not_hide_what_is_pinned(engine: Engine, ada: User) -> None:
    with engine.begin() as connection:
        delete_graph(connection, save(connection, ada, document(1)).id, if_match="*")
        save(connection, ada, document(2))
    library = OwnedGraphs(engine.connect, ada.id)
    assert library.document("mill", 1, None) == document(2)
    assert library.document("mill", 1, content_hash(document(1))) == document(1)
    assert library.document("mill", 1, content_hash(document(2))) == document(2)


def test_graphs_of_others_do_not_exist_not_even_by_their_hash(engine: Engine, ada: User) -> None:
    with engine.begin() as connection:
        bob = create_user(connection, "bob", "correct horse", "editor")
        save(connection, ada, document(1))
    library = OwnedGraphs(engine.connect, bob.id)
    assert library.latest("mill") is None
    assert library.document("mill", 1, None) is None
    assert library.document("mill", 1, content_hash(document(1))) is None


def test_the_compiler_finds_calls_in_it(engine: Engine, ada: User) -> None:
    with engine.begin() as connection:
        save(connection, ada, document(1))
        save(connection, ada, document(2))
    calls = Calls(OwnedGraphs(engine.connect, ada.id))
    found = [calls.find("mill", version) for version in (None, 1)]
    assert [(one.version, one.sha256) for one in found if isinstance(one, CalledGraph)] == [
        (2, content_hash(document(2))),
        (1, content_hash(document(1))),
    ]
    refused = [calls.find("mill", 3), calls.find("race", None), calls.find("mill", 1, content_hash(document(2)))]
    assert [(one.code, one.key) for one in refused if isinstance(one, NotCallable)] == [
        ("unknown_version", "version"),
        ("unknown_graph", "graph"),
        ("unknown_version", "sha256"),
    ]
