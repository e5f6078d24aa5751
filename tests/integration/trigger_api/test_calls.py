"""Graphs that call graphs, over HTTP: pinned when they are saved, to what their owner has."""

from __future__ import annotations

from typing import Any

import httpx

from tests.integration.trigger_api.conftest import API, Login, assert_problem

CALLED = {
    "spec_version": 1,
    "name": "called",
    "params": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
    "nodes": [{"id": "twice", "type": "transform", "config": {"value": "{{ params.x * 2 }}"}}],
    "outputs": {"double": "{{ nodes.twice.value }}"},
}
CALLER = {
    "spec_version": 1,
    "name": "caller",
    "nodes": [{"id": "call", "type": "graph", "config": {"graph": "called", "params": {"x": 4}}}],
    "outputs": {"double": "{{ nodes.call.double }}"},
}


def pin(graph: dict[str, Any]) -> tuple[int, str]:
    config = graph["document"]["nodes"][0]["config"]
    return config["version"], config["sha256"]


def test_latest_becomes_the_current_version_and_its_hash_when_the_graph_is_saved(ada: httpx.Client) -> None:
    called = ada.post(f"{API}/graphs", json=CALLED).json()
    caller = ada.post(f"{API}/graphs", json=CALLER).json()
    assert pin(caller) == (1, called["sha256"])
    assert ada.post(f"{API}/graphs", json=caller["document"]).status_code == 200
    newer = ada.put(f"{API}/graphs/called", json=CALLED | {"description": "newer"}).json()
    assert pin(ada.get(f"{API}/graphs/caller").json()) == (1, called["sha256"])
    again = ada.put(f"{API}/graphs/caller", json=CALLER).json()
    assert (again["version"], pin(again)) == (2, (2, newer["sha256"]))


def test_graphs_of_others_cannot_be_called(ada: httpx.Client, login: Login) -> None:
    ada.post(f"{API}/graphs", json=CALLED)
    refused = assert_problem(login("bob").post(f"{API}/graphs", json=CALLER), 422, "invalid_graph")
    (issue,) = refused["issues"]
    assert (issue["code"], issue["path"]) == ("unknown_graph", "/nodes/0/config/graph")
    answer = login("eve").post(f"{API}/graphs/validate", json=CALLER).json()
    assert [issue["code"] for issue in answer["issues"]] == ["unknown_graph"]


def test_an_admin_saves_what_the_owner_may_call(ada: httpx.Client, login: Login) -> None:
    ada.post(f"{API}/graphs", json=CALLED)
    caller = ada.post(f"{API}/graphs", json=CALLER).json()
    saved = login("root", "admin").put(f"{API}/graphs/ada~caller", json=CALLER | {"description": "by root"})
    assert (saved.status_code, pin(saved.json())) == (200, pin(caller))


def test_a_deleted_graph_stays_in_those_that_pinned_it_and_is_pinned_by_no_other(ada: httpx.Client) -> None:
    ada.post(f"{API}/graphs", json=CALLED)
    caller = ada.post(f"{API}/graphs", json=CALLER).json()
    assert ada.delete(f"{API}/graphs/called").status_code == 204
    changed = caller["document"] | {"description": "changed"}
    kept = ada.put(f"{API}/graphs/caller", json=changed)
    assert (kept.status_code, pin(kept.json())) == (200, pin(caller))
    assert_problem(ada.put(f"{API}/graphs/caller", json=CALLER), 422, "invalid_graph")


def test_a_graph_cannot_come_to_call_itself(ada: httpx.Client) -> None:
    ada.post(f"{API}/graphs", json=CALLED)
    ada.post(f"{API}/graphs", json=CALLER)
    nodes = [*CALLED["nodes"], {"id": "back", "type": "graph", "config": {"graph": "caller"}}]  # type: ignore[misc]  # a list
    refused = assert_problem(ada.put(f"{API}/graphs/called", json=CALLED | {"nodes": nodes}), 422, "invalid_graph")
    assert [issue["code"] for issue in refused["issues"]] == ["recursive_graph"]
