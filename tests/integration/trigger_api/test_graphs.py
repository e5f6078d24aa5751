"""Graphs over HTTP: versions, conditions, issues and limits."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import httpx

from graph_compiler.catalogue.node_types import builtin_node_types
from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import API, Login, assert_problem, document

WEBHOOK = {
    "id": "on-push",
    "type": "webhook",
    "verify": {"scheme": "github", "secret": "gh_webhook"},
    "params": {"water": 1},
}


def test_a_graph_tells_which_of_its_nodes_and_triggers_may_read_which_secrets(ada: httpx.Client) -> None:
    code = {"id": "code", "type": "python", "config": {"code": "def main(): pass", "env": {"K": "{{ secrets.key }}"}}}
    push = {"id": "push", "type": "webhook", "verify": {"scheme": "github", "secret": "gh"}, "params": {"water": 1}}
    new = document(nodes=[*document()["nodes"], code], triggers=[push])
    ada.post(f"{API}/graphs", json=new).raise_for_status()
    assert ada.get(f"{API}/graphs/mill").json()["secrets"] == [
        {"name": "gh", "nodes": [], "triggers": ["push"]},
        {"name": "key", "nodes": ["code"], "triggers": []},
    ]


def test_a_new_graph_is_answered_whole_with_its_address_and_etag(ada: httpx.Client) -> None:
    created = ada.post(f"{API}/graphs", json=document())
    assert created.status_code == 201
    graph = created.json()
    here = f"http://headrace.test/api/v1/graphs/{graph['id']}"
    varying = {name: graph[name] for name in ("id", "sha256", "created_at", "updated_at", "document")}
    assert graph == {
        **varying,
        "name": "mill",
        "owner": "ada",
        "version": 1,
        "triggers": [],
        "links": {"self": here, "versions": f"{here}/versions", "runs": f"{here}/runs", "triggers": f"{here}/triggers"},
    }
    assert graph["document"]["params"] == document()["params"]
    assert created.headers["location"] == here
    assert created.headers["etag"] == f'"1-{graph["sha256"][:16]}"'
    got = ada.get(f"{API}/graphs/mill")
    assert (got.json(), got.headers["etag"]) == ({**graph, "secrets": []}, created.headers["etag"])


def test_the_same_content_in_yaml_and_another_order_is_the_same_version(ada: httpx.Client) -> None:
    first = ada.post(f"{API}/graphs", json=document())
    yaml = "name: mill\nspec_version: 1\n" + "".join(
        f"{key}: {json.dumps(value)}\n"
        for key, value in reversed(document().items())
        if key not in {"name", "spec_version"}
    )
    again = ada.post(f"{API}/graphs", content=yaml, headers={"Content-Type": "application/yaml"})
    assert (again.status_code, again.json()) == (200, first.json())


def test_other_content_needs_a_put_and_makes_a_version(ada: httpx.Client) -> None:
    first = ada.post(f"{API}/graphs", json=document())
    changed = document(description="changed")
    assert assert_problem(ada.post(f"{API}/graphs", json=changed), 409, "graph_exists")["etag"] == first.headers["etag"]
    second = ada.put(f"{API}/graphs/mill", json=changed, headers={"If-Match": first.headers["etag"]})
    assert (second.status_code, second.json()["version"]) == (200, 2)
    stale = ada.put(f"{API}/graphs/mill", json=document(), headers={"If-Match": first.headers["etag"]})
    assert assert_problem(stale, 412, "precondition_failed")["etag"] == second.headers["etag"]
    back = ada.put(f"{API}/graphs/mill", json=document())
    assert (back.json()["version"], back.headers["etag"]) == (1, first.headers["etag"])
    versions = ada.get(f"{API}/graphs/mill/versions").json()
    assert ([item["version"] for item in versions["items"]], versions["next_cursor"]) == ([2, 1], None)
    assert ada.get(f"{API}/graphs/mill/versions/2").json()["document"]["description"] == "changed"
    assert_problem(ada.get(f"{API}/graphs/mill/versions/3"), 404, "version_not_found")


def test_tests_and_layout_are_stored_beside_the_version(ada: httpx.Client) -> None:
    first = ada.put(f"{API}/graphs/mill", json=document())
    tests = [{"name": "little", "params": {"water": 1}}]
    drawn = document(tests=tests, layout={"grind": {"x": 1, "y": 2}})
    second = ada.put(f"{API}/graphs/mill", json=drawn, headers={"If-Match": first.headers["etag"]})
    assert (second.status_code, second.json()["version"]) == (200, 1)
    assert second.json()["sha256"] == first.json()["sha256"]
    assert second.json()["document"] == drawn
    assert second.headers["etag"].startswith(first.headers["etag"][:-1] + "-")
    assert_problem(
        ada.put(f"{API}/graphs/mill", json=document(), headers={"If-Match": first.headers["etag"]}),
        412,
        "precondition_failed",
    )
    assert ada.get(f"{API}/graphs/mill/versions/1").json()["document"] == drawn
    changed = ada.put(f"{API}/graphs/mill", json=document(description="x", tests=tests))
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    compared = ada.get(f"{API}/graphs/mill/versions/1/diff/2").json()["changes"]
    assert [(each["kind"], each["place"]) for each in compared] == [("added", "description"), ("removed", "layout")]
    listed = ada.get(f"{API}/graphs/mill/versions").json()["items"]
    assert [each["version"] for each in listed] == [2, 1]
    run = ada.post(f"{API}/graphs/mill/runs", json={"params": {"water": 1}})
    assert (run.status_code, run.json()["version"]) == (202, 2)


def test_a_put_creates_under_a_free_name_that_is_the_documents(ada: httpx.Client) -> None:
    created = ada.put(f"{API}/graphs/mill", json=document())
    assert (created.status_code, created.json()["version"]) == (201, 1)
    mismatch = ada.put(f"{API}/graphs/other", json=document())
    issues = assert_problem(mismatch, 422, "invalid_graph")["issues"]
    assert [(issue["code"], issue["path"]) for issue in issues] == [("name_mismatch", "/name")]
    assert_problem(ada.put(f"{API}/graphs/bob~mill", json=document()), 404, "graph_not_found")


def test_saves_at_the_same_time_give_each_content_its_version(ada: httpx.Client) -> None:
    ada.put(f"{API}/graphs/mill", json=document())

    def put(number: int) -> tuple[int, str]:
        graph = ada.put(f"{API}/graphs/mill", json=document(description=str(number))).json()
        return graph["version"], graph["document"]["description"]

    with ThreadPoolExecutor(8) as pool:
        saved = dict(pool.map(put, range(8)))
    assert sorted(saved) == list(range(2, 10))
    stored = {n: ada.get(f"{API}/graphs/mill/versions/{n}").json()["document"]["description"] for n in saved}
    assert stored == saved


def test_of_saves_with_one_etag_one_wins(ada: httpx.Client) -> None:
    etag = ada.put(f"{API}/graphs/mill", json=document()).headers["etag"]

    def put(number: int) -> int:
        return ada.put(
            f"{API}/graphs/mill", json=document(description=str(number)), headers={"If-Match": etag}
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(put, range(8))) == [200] + [412] * 7


def test_a_webhook_keeps_its_url_through_versions(ada: httpx.Client) -> None:
    first = ada.put(f"{API}/graphs/mill", json=document(triggers=[WEBHOOK])).json()["triggers"]
    second = ada.put(f"{API}/graphs/mill", json=document(triggers=[WEBHOOK], description="x")).json()["triggers"]
    assert first == second == ada.get(f"{API}/graphs/mill/triggers").json()["items"]
    url = first[0]["url"]
    assert url.startswith("http://headrace.test/hooks/")
    assert first == [{"id": "on-push", "type": "webhook", "enabled": True, "url": url, "verify": WEBHOOK["verify"]}]


def test_a_deleted_graph_is_gone_but_its_runs_stay(ada: httpx.Client) -> None:
    etag = ada.post(f"{API}/graphs", json=document()).headers["etag"]
    run = ada.post(f"{API}/graphs/mill/runs", json={"params": {"water": 1}}).json()["run_id"]
    assert_problem(ada.delete(f"{API}/graphs/mill", headers={"If-Match": '"9-0"'}), 412, "precondition_failed")
    assert ada.delete(f"{API}/graphs/mill", headers={"If-Match": etag}).status_code == 204
    assert_problem(ada.get(f"{API}/graphs/mill"), 404, "graph_not_found")
    assert_problem(ada.delete(f"{API}/graphs/mill"), 404, "graph_not_found")
    assert ada.get(f"{API}/runs/{run}").json()["graph"] == "mill"


def test_graphs_are_listed_in_pages_without_documents(ada: httpx.Client) -> None:
    for name in ("c", "a", "b"):
        ada.post(f"{API}/graphs", json=document(name))
    first = ada.get(f"{API}/graphs", params={"limit": 2}).json()
    rest = ada.get(f"{API}/graphs", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [item["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None
    assert "document" not in first["items"][0]
    assert_problem(ada.get(f"{API}/graphs", params={"cursor": "nonsense"}), 400, "bad_cursor")


BAD = document(nodes=[{"id": "grind", "type": "windmill"}, {"id": "grind", "type": "transform"}], outputs={})


def test_validation_answers_every_issue_with_its_place_and_saves_nothing(ada: httpx.Client) -> None:
    answer = ada.post(f"{API}/graphs/validate", content=json.dumps(BAD, indent=1)).json()
    assert answer["valid"] is False
    assert {"unknown_node_type", "duplicate_id"} <= {issue["code"] for issue in answer["issues"]}
    assert all(issue["line"] and issue["column"] for issue in answer["issues"])
    assert ada.post(f"{API}/graphs/validate", json=document()).json() == {"valid": True, "issues": []}
    assert ada.get(f"{API}/graphs").json()["items"] == []


def test_a_save_is_refused_with_the_same_issues(ada: httpx.Client) -> None:
    issues = ada.post(f"{API}/graphs/validate", json=BAD).json()["issues"]
    assert assert_problem(ada.post(f"{API}/graphs", json=BAD), 422, "invalid_graph")["issues"] == issues


_ALIASES = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 8)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


NO_DOCUMENTS: list[tuple[str | bytes, str]] = [
    ("", "json"),
    ("{", "json"),
    ("[" * 10_000, "json"),
    ("a: [", "yaml"),
    ("- " * 10_000, "yaml"),
    (_ALIASES, "yaml"),
    ('{"name": "\\ud800"}', "json"),
    ('{"spec_version": NaN}', "json"),
    ("\0", "yaml"),
    (b"\xff\xfe\xff", "json"),
]


def test_what_is_no_document_is_reported_as_issues(ada: httpx.Client) -> None:
    for text, kind in NO_DOCUMENTS:
        refused = ada.post(f"{API}/graphs", content=text, headers={"Content-Type": f"application/{kind}"})
        assert assert_problem(refused, 422, "invalid_graph")["issues"]
    assert ada.get(f"{API}/graphs").json()["items"] == []


def test_a_document_or_body_that_is_too_large_is_not_parsed(ada: httpx.Client, settings: Settings) -> None:
    two_mebibytes = b'{"x": "' + b"x" * 2 * 1024 * 1024 + b'"}'
    for path in ("/graphs", "/graphs/validate"):
        assert_problem(ada.post(API + path, content=two_mebibytes), 413, "too_large")
    body = b"x" * (settings.max_body_bytes + 1)
    assert_problem(ada.post(f"{API}/graphs", content=body), 413, "too_large")
    assert_problem(ada.post(f"{API}/graphs/mill/runs", content=body), 413, "too_large")


def test_text_beyond_ascii_survives(ada: httpx.Client) -> None:
    text = "Mühle \N{GRINNING FACE} \x00 \u2028"
    ada.post(f"{API}/graphs", json=document(description=text))
    assert ada.get(f"{API}/graphs/mill").json()["document"]["description"] == text


def test_schema_and_node_types_are_public(anonymous: httpx.Client) -> None:
    schema = anonymous.get(f"{API}/schema").json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    names = [node_type["name"] for node_type in anonymous.get(f"{API}/node-types").json()["items"]]
    assert names == list(builtin_node_types())


def test_two_versions_are_compared_in_both_directions(ada: httpx.Client, login: Login) -> None:
    ada.post(f"{API}/graphs", json=document())
    ada.put(f"{API}/graphs/mill", json=document(description="Grinds."))
    diff = f"{API}/graphs/mill/versions/1/diff/2"
    added = {"path": "/description", "place": "description", "lines": []}
    assert ada.get(diff).json() == {
        "from_version": 1,
        "to_version": 2,
        "changes": [{"kind": "added", **added, "before": None, "after": "Grinds."}],
    }
    assert ada.get(f"{API}/graphs/mill/versions/2/diff/1").json()["changes"] == [
        {"kind": "removed", **added, "before": "Grinds.", "after": None}
    ]
    assert ada.get(f"{API}/graphs/mill/versions/2/diff/2").json()["changes"] == []
    assert_problem(ada.get(f"{API}/graphs/mill/versions/1/diff/3"), 404, "version_not_found")
    assert_problem(login("bob").get(diff), 404, "graph_not_found")
