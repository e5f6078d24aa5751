"""Trying a node: what is accepted as a run of its own, and what is refused with its place."""

from __future__ import annotations

from typing import Any

import httpx

from tests.integration.trigger_api.conftest import API, Login, assert_problem, document

NODES = [
    {"id": "first", "type": "transform", "config": {"value": "{{ params.water }}"}},
    {
        "id": "grind",
        "type": "transform",
        "after": ["first"],
        "retry": {"max_attempts": 3},
        "on_error": "route",
        "config": {"value": "{{ inputs.a }} {{ params.water }} {{ params.wheel }}"},
    },
]
EDGES = [{"from": "first.value", "to": "grind.a"}]


def saved(client: httpx.Client) -> None:
    parts: dict[str, Any] = {"nodes": NODES, "edges": EDGES, "outputs": {}, "settings": {"max_concurrent_runs": 1}}
    assert client.put(f"{API}/graphs/mill", json=document(**parts)).status_code == 201


def tried(client: httpx.Client, node: str = "grind", **wanted: Any) -> httpx.Response:
    return client.post(f"{API}/graphs/mill/nodes/{node}:try", json=wanted)


def test_a_trial_is_a_run_of_its_own_with_the_inputs_in_its_params(ada: httpx.Client) -> None:
    saved(ada)
    first = tried(ada, inputs={"a": "{{ 1 }}"})
    assert (first.status_code, first.json()["graph"], first.json()["version"]) == (202, "mill-try", 1)
    again = tried(ada, inputs={"a": 2}, params={"water": 7})
    assert again.json()["version"] == 1
    run = ada.get(f"{API}/runs/{again.json()['run_id']}").json()
    assert run["tags"] == {"try": "mill/grind"}
    assert run["params"]["try_inputs"] == {"a": 2}
    assert run["params"]["water"] == 7
    assert ada.get(f"{API}/runs", params={"graph": "mill"}).json()["items"] == []
    assert [graph["name"] for graph in ada.get(f"{API}/graphs").json()["items"]] == ["mill"]
    assert_problem(ada.get(f"{API}/graphs/mill-try"), 404, "graph_not_found")


def test_what_does_not_fit_is_refused_with_its_place(ada: httpx.Client, login: Login) -> None:
    saved(ada)

    def issues(**wanted: Any) -> list[tuple[str, str]]:
        found = assert_problem(tried(ada, **wanted), 422, "invalid_params")["issues"]
        return [(issue["code"], issue["path"]) for issue in found]

    assert issues() == [("unknown_input", "/node/config/value")]
    assert issues(inputs={"a": 1, "b": 2}) == [("unused_port", "/inputs/b")]
    assert issues(inputs={"a": 1}, params={"sand": 1}) == [("unknown_param", "/params/sand")]
    assert_problem(tried(ada, "nothing"), 404, "node_not_found")
    assert_problem(tried(ada, inputs={"a": 1}, version=9), 404, "version_not_found")
    assert_problem(tried(login("bob"), inputs={"a": 1}), 404, "graph_not_found")
