"""The audit log over HTTP: every change writes to it, everybody reads what concerns them, and it can be verified."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from sqlalchemy.engine import Engine

from platform_core.identity.keys import KeyRing
from platform_core.settings import Settings
from stream_api.app import create_app as create_stream_app
from tests.integration.trigger_api.conftest import API, PASSWORD, Login, assert_problem, document, end_run
from tests.integration.trigger_api.test_commands import Shell
from tests.integration.trigger_api.waits.rows import waiting
from tests.webhook_signing import github_signature

HOURLY = {"id": "hourly", "type": "schedule", "cron": "0 * * * *", "params": {"water": "{{ tick.hour }}"}}
PUSH = {
    "id": "push",
    "type": "webhook",
    "verify": {"scheme": "github", "secret": "gh"},
    "params": {"water": "{{ body.x }}"},
}
VALUE = "water-in-the-mill"


class Mill:
    """A caller with a graph that has a timer and a webhook, and the requests that change something."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.put("secrets/gh", {"value": VALUE})
        self.put("graphs/mill", document(triggers=[HOURLY, PUSH]))

    def put(self, path: str, body: Any) -> httpx.Response:
        return self.client.put(f"{API}/{path}", json=body).raise_for_status()

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(f"{API}/{path}", json=body).raise_for_status().json()

    def launched(self) -> str:
        return str(self.post("graphs/mill/runs", {"params": {"water": 1}})["run_id"])

    def ended(self, engine: Engine) -> str:
        run_id = self.launched()
        end_run(engine, run_id, "FAILURE")
        return run_id

    def asking(self, engine: Engine) -> str:
        run_id = self.launched()
        waiting(engine, run_id)
        return run_id

    def delivery(self) -> str:
        [push] = [each for each in self.client.get(f"{API}/graphs/mill/triggers").json()["items"] if "url" in each]
        body = b'{"x": 1}'
        path = push["url"].removeprefix("http://headrace.test")
        signed = {"X-Hub-Signature-256": github_signature(VALUE, body), "X-GitHub-Delivery": "d"}
        answer = self.client.post(path, content=body, headers={**signed, "Content-Type": "application/json"})
        answer.raise_for_status()
        return str(self.client.get(f"{API}/graphs/mill/deliveries").json()["items"][0]["id"])


Request = tuple[str, Any]
"""A path under the API and a body."""

REQUESTS: dict[str, tuple[str, Callable[[Mill, Engine], Request]]] = {
    "create_user": ("user.created", lambda *_: ("users", {"name": "eve", "password": PASSWORD, "role": "viewer"})),
    "change_user": ("user.changed", lambda *_: ("users/bob", {"role": "viewer", "password": PASSWORD + "2"})),
    "create_api_key": ("key.created", lambda *_: ("api-keys", {"name": "ci", "scopes": ["runs:read"]})),
    "delete_api_key": (
        "key.deleted",
        lambda mill, _: ("api-keys/" + mill.post("api-keys", {"name": "x", "scopes": ["runs:read"]})["id"], None),
    ),
    "create_graph": ("graph.saved", lambda *_: ("graphs", document("wheel"))),
    "put_graph": ("graph.saved", lambda *_: ("graphs/mill", document(description="another"))),
    "delete_graph": ("graph.deleted", lambda *_: ("graphs/mill", None)),
    "try_node": ("node.tried", lambda *_: ("graphs/mill/nodes/grind:try", {"params": {"water": 1}})),
    "enable_trigger": ("trigger.enabled", lambda *_: ("graphs/mill/triggers/hourly/enable", None)),
    "disable_trigger": ("trigger.disabled", lambda *_: ("graphs/mill/triggers/hourly/disable", None)),
    "fire_trigger": ("trigger.fired", lambda *_: ("graphs/mill/triggers/hourly/fire", None)),
    "backfill_trigger": (
        "trigger.backfilled",
        lambda *_: (
            "graphs/mill/triggers/hourly/backfill",
            {"from": "2026-01-01", "to": "2026-01-02", "dry_run": False},
        ),
    ),
    "rotate_webhook": ("webhook.rotated", lambda *_: ("graphs/mill/triggers/push/rotate", None)),
    "launch_run": ("run.launched", lambda *_: ("graphs/mill/runs", {"params": {"water": 1}})),
    "launch_batch": ("run.launched", lambda *_: ("graphs/mill/runs:batch", {"runs": [{"params": {"water": 1}}]})),
    "cancel_run": ("run.canceled", lambda mill, _: (f"runs/{mill.launched()}/cancel", None)),
    "answer_approval": (
        "wait.answered",
        lambda mill, engine: (f"runs/{mill.asking(engine)}/waits/ask", {"decision": "approve"}),
    ),
    "retry_run": ("run.retried", lambda mill, engine: (f"runs/{mill.ended(engine)}/retry", {"from": "start"})),
    "replay_delivery": ("delivery.replayed", lambda mill, _: (f"deliveries/{mill.delivery()}/replay", None)),
    "put_secret": ("secret.set", lambda *_: ("secrets/oak", {"value": VALUE})),
    "rotate_keys": ("secrets.renewed", lambda *_: ("secrets:rotate-keys", None)),
    "delete_secret": ("secret.deleted", lambda *_: ("secrets/gh", None)),
}
"""A request of each operation that changes something, and what the log calls it."""
UNAUDITED = {
    "validate_graph": "changes nothing",
    "deliver": "the delivery log has every call; a row of the audit log for each would cost as much as the run",
    "tell_event": "has no principal; the run's events have it",
    "begin_watching": "gives a reader a token to go on reading",
    "create_token": "has no principal; its tests are below",
    "begin_session": "checks and tells of a password as create_token does",
    "change_password": "ends the token that asks; tests/integration/trigger_api/auth/test_sessions.py",
    "log_out_everywhere": "ends the token that asks; the same tests",
    "end_session": "takes from a browser what its user may begin again",
}


READING = {"GET", "HEAD", "OPTIONS"}
HIDDEN = {
    "launch_with_files": "is told, as its test below says",
    "sign_in_by_form": "checks and tells of a password as create_token does; of a link, too",
    "deliver": "is the same as above, by other methods",
    "deliver_below": "is the same as above, with more of a path",
}
"""Routes that OpenAPI does not show."""


def operations(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Method and path of each operation that is no reading, by its name."""
    return {
        operation["operationId"]: (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method not in ("get", "head", "options")
    }


def rows_of(engine: Engine, request_id: str) -> list[sa.Row[Any]]:
    query = sa.text("SELECT * FROM headrace.audit WHERE request_id = :id ORDER BY id")
    with engine.connect() as connection:
        return list(connection.execute(query, {"id": request_id}))


def test_every_operation_that_changes_something_is_known_here(
    app: FastAPI, settings: Settings, engine: Engine, keys: KeyRing
) -> None:
    stream = create_stream_app(settings, engine=engine, keys=keys)
    named = operations(app.openapi()) | operations(stream.openapi())
    assert named.keys() == REQUESTS.keys() | UNAUDITED.keys()
    # What FastAPI keeps of a router that was included.
    routers = [getattr(included, "original_router", None) for each in (app, stream) for included in each.routes]
    routes = [route for router in routers if isinstance(router, APIRouter) for route in router.routes]
    hidden = [route for route in routes if isinstance(route, APIRoute) and not route.include_in_schema]
    assert {route.name for route in hidden if set(route.methods or ()) - READING} == HIDDEN.keys()


@pytest.mark.parametrize("operation", REQUESTS)
def test_a_change_is_told_with_who_from_where_and_by_which_request(
    operation: str, app: FastAPI, admin: httpx.Client, login: Login, engine: Engine
) -> None:
    login("bob")
    mill = Mill(admin)
    method, pattern = operations(app.openapi())[operation]
    action, request = REQUESTS[operation]
    path, body = request(mill, engine)
    assert path.count("/") == pattern.removeprefix(f"{API}/").count("/")
    headers = {"X-Request-ID": f"the-{operation}"}
    admin.request(method.upper(), f"{API}/{path}", json=body, headers=headers).raise_for_status()
    [row] = rows_of(engine, f"the-{operation}")
    me = admin.get(f"{API}/auth/me").json()
    assert (row.action, row.actor_kind, row.actor_id, row.actor_name) == (action, "user", me["id"], "root")
    assert (row.credential, row.address) == ("token", "127.0.0.1")
    assert row.target_id or row.target_name
    assert row.owner_id is not None or action == "secrets.renewed"
    written = str(tuple(row))
    assert VALUE not in written
    assert PASSWORD not in written


def test_a_launch_with_files_is_told_too(ada: httpx.Client, engine: Engine) -> None:
    ada.post(f"{API}/graphs", json=document())
    answer = ada.post(f"{API}/graphs/mill/runs", files={"water": (None, "1")}, headers={"X-Request-ID": "files"})
    assert answer.status_code == 202, answer.text
    [row] = rows_of(engine, "files")
    assert (row.action, row.target_id) == ("run.launched", answer.json()["run_id"])


def test_what_is_refused_or_repeated_changes_nothing_and_is_not_told(ada: httpx.Client, engine: Engine) -> None:
    ada.post(f"{API}/graphs", json=document())
    launch = {"params": {"water": 1}}
    first = {"Idempotency-Key": "k", "X-Request-ID": "first"}
    again = {"Idempotency-Key": "k", "X-Request-ID": "again"}
    for headers in (first, again):
        ada.post(f"{API}/graphs/mill/runs", json=launch, headers=headers).raise_for_status()
    same = ada.put(f"{API}/graphs/mill", json=document(), headers={"X-Request-ID": "same"})
    refused = ada.post(f"{API}/graphs/mill/runs", json={"params": {}}, headers={"X-Request-ID": "refused"})
    assert (same.status_code, refused.status_code) == (200, 422)
    told = {name: len(rows_of(engine, name)) for name in ("first", "again", "same", "refused")}
    assert told == {"first": 1, "again": 0, "same": 0, "refused": 0}


def test_before_and_after_say_what_changed(admin: httpx.Client, login: Login) -> None:
    login("bob")
    admin.patch(f"{API}/users/bob", json={"role": "viewer", "password": PASSWORD + "2"})
    [row] = admin.get(f"{API}/audit", params={"action": "user.changed"}).json()["items"]
    before = {"role": "editor", "disabled": False, "max_concurrent_runs": None}
    assert (row["before"], row["after"]) == (before, {**before, "role": "viewer", "password_changed": True})
    assert row["target"] == {"kind": "user", "id": row["owner_id"], "name": "bob"}
    assert row["owner"] == "bob"


def test_logins_are_told_and_a_password_in_the_wrong_field_is_not(
    anonymous: httpx.Client, admin: httpx.Client, login: Login
) -> None:
    login("ada")
    for name, password in (("ada", PASSWORD), ("ada", "guess"), ("Sesame, open! 1", "x")):
        anonymous.post(f"{API}/auth/token", data={"username": name, "password": password})
    refused = admin.get(f"{API}/audit", params={"action": "login.refused"}).json()["items"]
    assert [(row["actor"]["kind"], row["target"]["name"], row["address"]) for row in refused] == [
        ("nobody", None, "127.0.0.1"),
        ("nobody", "ada", "127.0.0.1"),
    ]
    [accepted] = admin.get(f"{API}/audit", params={"action": "login.accepted"}).json()["items"]
    assert (accepted["actor"]["name"], accepted["credential"]) == ("ada", "password")
    assert "Sesame" not in admin.get(f"{API}/audit", params={"format": "ndjson"}).text


def test_an_api_key_is_named_as_the_credential(anonymous: httpx.Client, ada: httpx.Client) -> None:
    key = ada.post(f"{API}/api-keys", json={"name": "ci", "scopes": ["secrets:write", "audit:read"]}).json()["key"]
    bearer = {"Authorization": f"Bearer {key}"}
    anonymous.put(f"{API}/secrets/oak", json={"value": VALUE}, headers=bearer).raise_for_status()
    [row] = anonymous.get(f"{API}/audit", params={"action": "secret.set"}, headers=bearer).json()["items"]
    assert (row["actor"]["name"], row["credential"]) == ("ada", "key")
    narrow = ada.post(f"{API}/api-keys", json={"name": "ci", "scopes": ["runs:read"]}).json()["key"]
    refused = anonymous.get(f"{API}/audit", headers={"Authorization": f"Bearer {narrow}"})
    assert_problem(refused, 403, "forbidden")


def test_people_see_what_they_did_and_what_was_done_to_theirs(
    ada: httpx.Client, login: Login, admin: httpx.Client
) -> None:
    bob = login("bob")
    ada.post(f"{API}/graphs", json=document())
    admin.post(f"{API}/graphs/ada~mill/runs", json={"params": {"water": 1}})
    bob.put(f"{API}/secrets/oak", json={"value": VALUE})

    def told(client: httpx.Client) -> list[tuple[str, str]]:
        return [(row["action"], row["actor"]["name"]) for row in client.get(f"{API}/audit").json()["items"]]

    assert told(ada) == [("run.launched", "root"), ("graph.saved", "ada")]
    assert told(bob) == [("secret.set", "bob")]
    assert told(admin) == [("secret.set", "bob"), ("run.launched", "root"), ("graph.saved", "ada")]
    for client in (ada, bob):
        assert_problem(client.get(f"{API}/audit:verify"), 403, "forbidden")
    exported = bob.get(f"{API}/audit", params={"format": "ndjson"}).text.splitlines()
    assert [json.loads(line)["action"] for line in exported] == ["secret.set"]


def test_filters_choose_and_pages_continue(ada: httpx.Client) -> None:
    for name in ("ash", "elm", "oak", "yew"):
        ada.put(f"{API}/secrets/{name}", json={"value": VALUE})
    ada.delete(f"{API}/secrets/oak")

    def chosen(**query: Any) -> list[str]:
        items = ada.get(f"{API}/audit", params=query).raise_for_status().json()["items"]
        return [f"{row['action']} {row['target']['name']}" for row in items]

    everything = [f"secret.{what}" for what in ("deleted oak", "set yew", "set oak", "set elm", "set ash")]
    assert chosen() == chosen(actor="ada") == chosen(owner="ada") == everything
    assert chosen(action="secret.deleted") == everything[:1]
    assert chosen(target="oak") == [everything[0], everything[2]]
    assert chosen(owner="bob") == chosen(actor="bob") == []
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert chosen(since=later) == []
    assert chosen(until=later) == everything
    found, query = [], {"limit": "2"}
    while True:
        page = ada.get(f"{API}/audit", params=query).json()
        found += [f"{row['action']} {row['target']['name']}" for row in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == everything
    assert_problem(ada.get(f"{API}/audit", params={"cursor": "x"}), 400, "bad_cursor")
    for wrong in ({"action": "tea.made"}, {"format": "csv", "limit": "1"}, {"actr": "ada"}):
        assert_problem(ada.get(f"{API}/audit", params=wrong), 422, "invalid_request")


@pytest.mark.parametrize("portion", [1, 3, 500])
def test_an_export_is_the_whole_log_the_oldest_first(
    ada: httpx.Client, admin: httpx.Client, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trigger_api.audit.exporting.PORTION", portion)
    for number in range(3):
        ada.put(f"{API}/secrets/s{number}", json={"value": VALUE})
    ada.post(f"{API}/api-keys", json={"name": "=cmd|' /C calc'!A0", "scopes": ["runs:read"]})
    answer = admin.get(f"{API}/audit", params={"format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["target_name"] for row in rows] == ["s0", "s1", "s2", "'=cmd|' /C calc'!A0"]
    assert json.loads(rows[-1]["after"]) == {"scopes": ["runs:read"], "expires_at": None}
    lines = [json.loads(line) for line in admin.get(f"{API}/audit", params={"format": "ndjson"}).text.splitlines()]
    listed = admin.get(f"{API}/audit").json()["items"]
    assert lines == listed[::-1]


def test_an_altered_row_is_found(ada: httpx.Client, admin: httpx.Client, engine: Engine) -> None:
    for number in range(4):
        ada.put(f"{API}/secrets/s{number}", json={"value": VALUE})
    intact = admin.get(f"{API}/audit:verify").json()
    assert {**intact, "head": "..."} == {
        "intact": True,
        "rows": 4,
        "anchor": {"place": 0, "hash": "00" * 32},
        "head": "...",
        "unsealed": 0,
        "broken_at": None,
        "holds_known": None,
    }
    head = intact["head"]
    ada.put(f"{API}/secrets/s4", json={"value": VALUE})
    assert admin.get(f"{API}/audit:verify", params=head).json()["holds_known"] is True
    other = admin.get(f"{API}/audit:verify", params={**head, "hash": "11" * 32}).json()
    assert (other["intact"], other["holds_known"]) == (False, False)
    with engine.begin() as connection:  # as somebody who has the database
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text("UPDATE headrace.audit SET actor_name = 'eve' WHERE place = 3"))
    broken = admin.get(f"{API}/audit:verify").json()
    assert (broken["intact"], broken["broken_at"], broken["rows"]) == (False, 3, 2)
    assert admin.get(f"{API}/audit:verify", params={"place": 1}).status_code == 422


def test_the_command_line_lists_exports_and_verifies(address: str, admin: httpx.Client, engine: Engine) -> None:
    shell = Shell(address, admin)
    shell.run("secret", "set", "oak", stdin=VALUE)
    listed = shell.run("audit", "--action", "secret.set")
    assert listed.stdout.splitlines()[1].split()[1:] == ["secret.set", "root", "secret", "oak", "127.0.0.1"]
    [row] = json.loads(shell.run("audit", "--json").stdout)
    assert (row["action"], row["target"]["name"]) == ("secret.set", "oak")
    assert json.loads(shell.run("audit", "export").stdout)["id"] == row["id"]
    verified = shell.run("audit", "verify")
    assert verified.exit_code == 0
    head = verified.stdout.strip()
    assert shell.run("audit", "verify", "--known", head).exit_code == 0
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text("DELETE FROM headrace.audit"))
    gone = shell.run("audit", "verify", "--known", head)
    assert (gone.exit_code, "not the one that was noted down" in gone.stderr) == (1, True)
