"""The delivery log: found, read and replayed, by those whose it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy.engine import Engine

from tests.integration.trigger_api.conftest import API, Login, assert_problem
from tests.integration.trigger_api.webhooks.graphs import SECRET, params_of_runs, save_webhook, stored

JSON = {"Content-Type": "application/json"}
LIST = f"{API}/graphs/hooked/deliveries"


def found(client: httpx.Client, **filters: Any) -> list[str]:
    """The senders' ids of the deliveries that the list shows."""
    answer = client.get(LIST, params=filters)
    assert answer.status_code == 200, answer.text
    return [item["delivery_id"] for item in answer.json()["items"]]


def deliver(anonymous: httpx.Client, webhook: str, key: str, content: Any, **headers: str) -> httpx.Response:
    return anonymous.post(webhook, content=json.dumps(content), headers=JSON | {"Idempotency-Key": key} | headers)


def test_list_is_filtered_searched_and_paged(ada: httpx.Client, anonymous: httpx.Client) -> None:
    webhook = save_webhook(ada, filter="{{ body.go }}", subpath=True)
    for number in range(5):
        deliver(anonymous, f"{webhook}/{number}", f"d{number}", {"go": number != 1, "text": f"wheel {number} Müller"})
    deliver(anonymous, webhook, "wrong", {"text": 1}, **{"X-Mill": "Oak"})
    assert found(ada) == ["wrong", "d4", "d3", "d2", "d1", "d0"]
    assert found(ada, verdict="filtered") == ["d1"]
    assert found(ada, verdict="refused") == ["wrong"]
    assert found(ada, trigger="in", limit=1) == ["wrong"]
    assert found(ada, trigger="other") == []
    assert found(ada, q="wheel 3") == ["d3"]
    assert found(ada, q="oAk") == ["wrong"]
    assert found(ada, q="D4") == ["d4"]
    assert found(ada, q="100% _") == []
    hour = timedelta(hours=1)
    assert found(ada, since=(datetime.now(UTC) + hour).isoformat()) == []
    assert found(ada, until=(datetime.now(UTC) - hour).isoformat()) == []
    first = ada.get(LIST, params={"limit": 4}).json()
    second = ada.get(LIST, params={"limit": 4, "cursor": first["next_cursor"]}).json()
    keys = [item["delivery_id"] for item in first["items"] + second["items"]]
    assert (keys, second["next_cursor"]) == (["wrong", "d4", "d3", "d2", "d1", "d0"], None)
    for wrong in ({"verdict": "lost"}, {"q": ""}, {"since": "now"}, {"limit": 0}):
        assert_problem(ada.get(LIST, params=wrong), 422, "invalid_request")
    assert_problem(ada.get(LIST, params={"cursor": "x"}), 400, "bad_cursor")


def test_delivery_is_read_whole_without_secrets(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    ada.put(f"{API}/secrets/webhook_secret", json={"value": SECRET})
    webhook = save_webhook(ada, verify={"scheme": "bearer", "secret": "webhook_secret"})
    bearer = {"Authorization": f"Bearer {SECRET}", "Cookie": "a=secret cookie"}
    accepted = deliver(anonymous, f"{webhook}?a=1&a=2", "d1", {"go": "ü"}, **bearer).json()
    entry = ada.get(accepted["links"]["delivery"].removeprefix("http://headrace.test")).json()
    (row,) = stored(engine)
    assert {key: entry[key] for key in ("id", "delivery_id", "graph", "trigger", "verdict", "run_id", "method")} == {
        "id": row["id"],
        "delivery_id": "d1",
        "graph": "hooked",
        "trigger": "in",
        "verdict": "accepted",
        "run_id": accepted["run_id"],
        "method": "POST",
    }
    assert (entry["query"], entry["body"], entry["body_base64"]) == ({"a": ["1", "2"]}, '{"go": "\\u00fc"}', None)
    assert (entry["truncated"], entry["client"], entry["replay_of"], entry["issues"]) == (
        False,
        "127.0.0.1",
        None,
        None,
    )
    assert entry["headers"]["authorization"] == entry["headers"]["cookie"] == "[masked]"
    assert SECRET not in json.dumps(entry)


def test_body_that_is_no_text_is_base64(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save_webhook(ada, body="bytes", params={})
    anonymous.post(webhook, content=b"\xff\x00")
    entry = ada.get(f"{API}/deliveries/{stored(engine)[0]['id']}").json()
    assert (entry["body"], entry["body_base64"]) == (None, "/wA=")


def test_replay_runs_what_came_through_the_graph_as_it_is_now(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save_webhook(ada, delivery_id="{{ body.id }}")
    first = anonymous.post(f"{webhook}?a=1", json={"id": 1}).json()
    save_webhook(ada, params={"got": ["{{ body.id }}", "{{ query.a }}", "{{ trigger.delivery_id }}"]}, enabled=False)
    (original,) = stored(engine)
    answer = ada.post(f"{API}/deliveries/{original['id']}/replay")
    assert answer.status_code == 202, answer.text
    replayed = answer.json()
    assert params_of_runs(engine) == [{"got": {"id": 1}}, {"got": [1, "1", "1"]}]
    run = ada.get(f"{API}/runs/{replayed['run_id']}").json()
    assert (run["version"], run["parent_run_id"], run["trigger"]) == (
        2,
        first["run_id"],
        {"kind": "webhook", "id": "in"},
    )
    entry = ada.get(f"{API}/deliveries/{replayed['id']}").json()
    assert (entry["replay_of"], entry["body"], entry["verdict"]) == (original["id"], '{"id":1}', "accepted")
    again = [ada.post(f"{API}/deliveries/{original['id']}/replay").json()["run_id"] for _ in range(2)]
    assert len({replayed["run_id"], *again}) == 3
    # And one that was replayed can be replayed.
    assert ada.post(f"{API}/deliveries/{replayed['id']}/replay").status_code == 202


def test_replay_with_a_key_is_one_run(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    anonymous.post(save_webhook(ada), content=b"1", headers=JSON)
    replay = f"{API}/deliveries/{stored(engine)[0]['id']}/replay"
    answers = [ada.post(replay, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert [(answer.status_code, answer.json()["duplicate"]) for answer in answers] == [(202, False), (200, True)]
    assert len(params_of_runs(engine)) == 2


def test_refused_delivery_is_replayed_once_the_graph_is_mended(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save_webhook(ada, params={"got": "{{ body.missing }}"})
    assert_problem(anonymous.post(webhook, json={"a": 1}), 422, "invalid_params")
    replay = f"{API}/deliveries/{stored(engine)[0]['id']}/replay"
    assert_problem(ada.post(replay), 422, "invalid_params")
    save_webhook(ada, filter="{{ body.a > 1 }}")
    filtered = ada.post(replay).json()
    assert (filtered["verdict"], filtered["run_id"]) == ("filtered", None)
    save_webhook(ada)
    assert ada.post(replay).json()["verdict"] == "accepted"
    assert [row["verdict"] for row in stored(engine)] == ["refused", "refused", "filtered", "accepted"]


def test_deliveries_are_their_owners_and_an_operators_may_replay(
    ada: httpx.Client, anonymous: httpx.Client, login: Login, admin: httpx.Client, engine: Engine
) -> None:
    anonymous.post(save_webhook(ada), content=b"1", headers=JSON)
    here = f"{API}/deliveries/{stored(engine)[0]['id']}"
    bob = login("bob")
    assert_problem(bob.get(LIST), 404, "graph_not_found")
    assert_problem(bob.get(here), 404, "delivery_not_found")
    assert_problem(bob.post(f"{here}/replay"), 404, "delivery_not_found")
    assert_problem(login("eve", "viewer").post(f"{here}/replay"), 403, "forbidden")
    assert_problem(anonymous.get(here), 401, "unauthorized")
    assert admin.get(here).status_code == 200
    assert admin.post(f"{here}/replay").status_code == 202
    operator = login("opal", "operator")
    assert_problem(operator.post(f"{here}/replay"), 404, "delivery_not_found")
    assert_problem(ada.get(f"{API}/deliveries/00000000-0000-0000-0000-000000000000"), 404, "delivery_not_found")
    ada.delete(f"{API}/graphs/hooked")
    assert_problem(ada.post(f"{here}/replay"), 404, "trigger_not_found")
