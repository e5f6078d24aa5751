"""Tokens, roles and owners at the edge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.engine import Engine
from typer.testing import CliRunner

from headrace_cli.main import app as commands
from platform_core.database.tables import signing_keys
from platform_core.identity.auth import ROLE_SCOPES
from platform_core.identity.keys import KeyRing
from platform_core.identity.secret_store import put_secret, read_secret
from platform_core.identity.signing_keys import published
from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import API, PASSWORD, Login, another_process, assert_problem, document
from tests.tokens import bearer_token


def test_a_password_buys_a_token_that_says_who_you_are(anonymous: httpx.Client, ada: httpx.Client) -> None:
    form = {"username": "ada", "password": PASSWORD}
    answer = anonymous.post(f"{API}/auth/token", data=form)
    assert answer.status_code == 200
    token = answer.json()
    assert {**token, "access_token": "..."} == {"access_token": "...", "token_type": "bearer", "expires_in": 8 * 3600}
    me = anonymous.get(f"{API}/auth/me", headers={"Authorization": f"Bearer {token['access_token']}"}).json()
    assert {**me, "id": "..."} == {
        "id": "...",
        "name": "ada",
        "role": "editor",
        "scopes": sorted(ROLE_SCOPES["editor"]),
    }


def test_wrong_credentials_buy_nothing(anonymous: httpx.Client, ada: httpx.Client) -> None:
    for form in ({"username": "ada", "password": "x"}, {"username": "no", "password": PASSWORD}):
        assert_problem(anonymous.post(f"{API}/auth/token", data=form), 401, "bad_credentials")


def test_passwords_cannot_be_guessed_by_trying_at_several_processes(
    anonymous: httpx.Client, ada: httpx.Client, settings: Settings, engine: Engine, keys: KeyRing
) -> None:
    few = settings.model_copy(update={"failed_logins_per_user": 4})
    right, wrong = ({"username": "ada", "password": password} for password in (PASSWORD, "guess"))
    with another_process(few, engine, keys) as one, another_process(few, engine, keys) as other:
        assert [one.post(f"{API}/auth/token", data=right).status_code for _ in range(6)] == [200] * 6
        codes = [client.post(f"{API}/auth/token", data=wrong).status_code for client in (one, other) * 4]
        assert codes == [401] * 4 + [429] * 4
        refused = other.post(f"{API}/auth/token", data=right)  # or a guess would be distinguished from the right one
        assert_problem(refused, 429, "too_many_requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 75
        eve = {"username": "eve", "password": "guess"}
        assert one.post(f"{API}/auth/token", data=eve).status_code == 401
    assert ada.get(f"{API}/auth/me").status_code == 200


def test_expired_and_foreign_tokens_are_refused(
    anonymous: httpx.Client, engine: Engine, keys: KeyRing, ada: httpx.Client
) -> None:
    ada_id = ada.get(f"{API}/auth/me").json()["id"]
    bearers = {
        None: "unauthorized",
        bearer_token(engine, keys, ada_id, -60): "token_expired",
        "a.b.c": "unauthorized",
        "hr_unknown": "unauthorized",
    }
    for bearer, code in bearers.items():
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        refused = anonymous.get(f"{API}/graphs", headers=headers)
        assert_problem(refused, 401, code)
        assert refused.headers["www-authenticate"] == "Bearer"


_ABILITIES = {
    "viewer": {"graphs:read", "runs:read"},
    "operator": {"graphs:read", "runs:read", "runs:write"},
    "editor": {"graphs:read", "runs:read", "runs:write", "graphs:write", "secrets:write"},
    "admin": {"graphs:read", "runs:read", "runs:write", "graphs:write", "secrets:write", "admin"},
}
_REQUESTS: dict[str, tuple[str, str, Any]] = {
    "graphs:read": ("GET", "/graphs", None),
    "runs:read": ("GET", "/runs", None),
    "runs:write": ("POST", "/graphs/none/runs", {}),
    "graphs:write": ("POST", "/graphs", document()),
    "secrets:write": ("PUT", "/secrets/gh_webhook", {"value": "s"}),
    "admin": ("GET", "/users", None),
}


@pytest.mark.parametrize("role", _ABILITIES)
def test_each_role_may_do_its_part(login: Login, role: str) -> None:
    caller = login("ada", role)
    answers = {scope: caller.request(verb, API + path, json=body) for scope, (verb, path, body) in _REQUESTS.items()}
    forbidden = {scope for scope, answer in answers.items() if answer.status_code == 403}
    assert forbidden == set(_REQUESTS) - _ABILITIES[role]
    for scope in forbidden:
        assert assert_problem(answers[scope], 403, "forbidden")["scope"] == scope


def test_what_is_anothers_does_not_exist_but_for_admins(ada: httpx.Client, login: Login, admin: httpx.Client) -> None:
    bob = login("bob")
    graph = ada.post(f"{API}/graphs", json=document()).json()
    run = ada.post(f"{API}/graphs/mill/runs", json={"params": {"water": 1}}).json()["run_id"]
    for reference in ("mill", "ada~mill", graph["id"]):
        assert_problem(bob.get(f"{API}/graphs/{reference}"), 404, "graph_not_found")
        assert_problem(bob.post(f"{API}/graphs/{reference}/runs"), 404, "graph_not_found")
        assert_problem(bob.get(f"{API}/runs", params={"graph": reference}), 404, "graph_not_found")
    for path in (f"/runs/{run}", f"/runs/{run}/outputs"):
        assert_problem(bob.get(API + path), 404, "run_not_found")
    assert_problem(bob.post(f"{API}/runs/{run}/cancel"), 404, "run_not_found")
    assert bob.get(f"{API}/graphs").json()["items"] == bob.get(f"{API}/runs").json()["items"] == []

    assert admin.get(f"{API}/graphs/ada~mill").json()["id"] == graph["id"]
    assert_problem(admin.get(f"{API}/graphs/mill"), 404, "graph_not_found")
    assert [item["owner"] for item in admin.get(f"{API}/runs").json()["items"]] == ["ada"]
    launched = admin.post(f"{API}/graphs/ada~mill/runs", json={"params": {"water": 2}}).json()
    assert ada.get(f"{API}/runs/{launched['run_id']}").json()["owner"] == "ada"


def test_an_api_key_is_shown_once_and_does_only_its_part(anonymous: httpx.Client, ada: httpx.Client) -> None:
    made = ada.post(f"{API}/api-keys", json={"name": "ci", "scopes": ["runs:read"]})
    assert made.status_code == 201
    key = made.json()
    bearer = {"Authorization": f"Bearer {key.pop('key')}"}
    assert ada.get(f"{API}/api-keys").json() == {"items": [key], "next_cursor": None}
    assert anonymous.get(f"{API}/runs", headers=bearer).status_code == 200
    assert_problem(anonymous.get(f"{API}/graphs", headers=bearer), 403, "forbidden")
    assert_problem(ada.post(f"{API}/api-keys", json={"name": "ci", "scopes": ["admin"]}), 403, "forbidden")
    assert ada.delete(f"{API}/api-keys/{key['id']}").status_code == 204
    assert_problem(ada.delete(f"{API}/api-keys/{key['id']}"), 404, "api_key_not_found")
    assert_problem(anonymous.get(f"{API}/runs", headers=bearer), 401, "unauthorized")


def test_administrators_see_and_delete_the_keys_of_anybody(
    anonymous: httpx.Client, ada: httpx.Client, login: Login, admin: httpx.Client
) -> None:
    key = ada.post(f"{API}/api-keys", json={"name": "ci", "scopes": ["runs:read"]}).json()
    bearer = {"Authorization": f"Bearer {key.pop('key')}"}
    bob = login("bob")
    assert_problem(bob.get(f"{API}/api-keys", params={"user": "ada"}), 403, "forbidden")
    assert_problem(bob.delete(f"{API}/api-keys/{key['id']}"), 404, "api_key_not_found")
    assert_problem(admin.get(f"{API}/api-keys", params={"user": "nobody"}), 404, "user_not_found")
    assert admin.get(f"{API}/api-keys", params={"user": "ada"}).json()["items"] == [key]
    assert admin.get(f"{API}/api-keys").json()["items"] == []
    assert admin.delete(f"{API}/api-keys/{key['id']}").status_code == 204
    assert_problem(anonymous.get(f"{API}/runs", headers=bearer), 401, "unauthorized")


def test_a_new_password_ends_the_tokens_before_it(
    anonymous: httpx.Client, ada: httpx.Client, admin: httpx.Client
) -> None:
    assert admin.patch(f"{API}/users/ada", json={"password": PASSWORD + "2"}).status_code == 200
    assert_problem(ada.get(f"{API}/auth/me"), 401, "unauthorized")
    form = {"username": "ada", "password": PASSWORD + "2"}
    token = anonymous.post(f"{API}/auth/token", data=form).json()["access_token"]
    assert anonymous.get(f"{API}/auth/me", headers={"Authorization": f"Bearer {token}"}).json()["name"] == "ada"


def test_administrators_make_change_and_disable_users(anonymous: httpx.Client, admin: httpx.Client) -> None:
    new = {"name": "eve", "password": PASSWORD, "role": "viewer"}
    made = admin.post(f"{API}/users", json=new)
    assert made.status_code == 201
    assert {**made.json(), "id": "...", "created_at": "..."} == {
        "id": "...",
        "name": "eve",
        "role": "viewer",
        "created_at": "...",
        "disabled": False,
        "max_concurrent_runs": None,
    }
    assert_problem(admin.post(f"{API}/users", json=new), 409, "user_exists")
    changed = admin.patch(f"{API}/users/eve", json={"disabled": True, "role": "editor"}).json()
    assert changed == {**made.json(), "disabled": True, "role": "editor"}
    for limit in (3, None):
        limited = admin.patch(f"{API}/users/eve", json={"max_concurrent_runs": limit}).json()
        assert limited == {**changed, "max_concurrent_runs": limit}
        assert admin.patch(f"{API}/users/eve", json={}).json() == limited
    assert [user["name"] for user in admin.get(f"{API}/users").json()["items"]] == ["eve", "root"]
    refused = anonymous.post(f"{API}/auth/token", data={"username": "eve", "password": PASSWORD})
    assert_problem(refused, 401, "bad_credentials")
    assert_problem(admin.patch(f"{API}/users/nobody", json={}), 404, "user_not_found")
    for change in ({"disabled": True}, {"role": "viewer"}):
        assert_problem(admin.patch(f"{API}/users/root", json=change), 409, "last_admin")


def test_bad_users_are_refused_with_the_place(admin: httpx.Client) -> None:
    for key, value in (("name", "Eve"), ("name", "e--e"), ("name", "e" * 41), ("password", "short"), ("role", "king")):
        user = {"name": "eve", "password": PASSWORD, "role": "viewer"} | {key: value}
        issues = assert_problem(admin.post(f"{API}/users", json=user), 422, "invalid_request")["issues"]
        assert [issue["path"] for issue in issues] == [f"/{key}"]


def test_secrets_are_written_and_listed_but_never_shown(ada: httpx.Client, login: Login) -> None:
    created = ada.put(f"{API}/secrets/gh_webhook", json={"value": "water in the mill"})
    assert (created.status_code, created.json()) == (201, {"name": "gh_webhook", "source": "stored"})
    assert ada.put(f"{API}/secrets/gh_webhook", json={"value": "x"}).status_code == 200
    assert ada.get(f"{API}/secrets").json() == {
        "items": [{"name": "gh_webhook", "source": "stored"}],
        "next_cursor": None,
    }
    assert login("bob").get(f"{API}/secrets").json()["items"] == []
    assert ada.get(f"{API}/secrets/gh_webhook").status_code == 405
    assert_problem(ada.put(f"{API}/secrets/No", json={"value": "x"}), 422, "invalid_request")
    assert ada.delete(f"{API}/secrets/gh_webhook").status_code == 204
    assert_problem(ada.delete(f"{API}/secrets/gh_webhook"), 404, "secret_not_found")


def test_secrets_kept_elsewhere_are_listed_with_their_source_in_one_order(
    ada: httpx.Client,
    settings: Settings,
    engine: Engine,
    keys: KeyRing,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("b", "d", "e_", "ea"):
        ada.put(f"{API}/secrets/{name}", json={"value": "x"})
    for name in ("a", "d", "f"):
        (tmp_path / name).write_text("hidden")
    monkeypatch.setenv("HEADRACE_SECRET_C", "hidden")
    shared = {name: ["ada"] for name in ("a", "c", "d", "f", "missing")} | {"bobs": ["bob"]}
    mounted = settings.model_copy(update={"secrets_folder": tmp_path, "shared_secrets": shared})
    expected = [("a", "file"), ("b", "stored"), ("c", "environment"), ("d", "stored")]
    expected += [("e_", "stored"), ("ea", "stored"), ("f", "file")]
    bearer = {"Authorization": ada.headers["Authorization"]}
    with another_process(mounted, engine, keys) as other:
        for limit in (1, 2, 3, 7, 50):
            found, query = [], {"limit": str(limit)}
            while True:
                page = other.get(f"{API}/secrets", params=query, headers=bearer).raise_for_status().json()
                found += [(item["name"], item["source"]) for item in page["items"]]
                if page["next_cursor"] is None:
                    break
                query["cursor"] = page["next_cursor"]
            assert found == expected, limit


def test_master_keys_are_rotated_by_administrators_and_by_the_command_line(
    ada: httpx.Client, admin: httpx.Client, settings: Settings, engine: Engine
) -> None:
    old, new = "o" * 32, "n" * 32
    with engine.begin() as connection:
        ada_id = ada.get(f"{API}/auth/me").json()["id"]
        put_secret(connection, KeyRing([old]), ada_id, "oak", "x")
        connection.execute(signing_keys.update().values(private_key=KeyRing([old]).encrypt(bytes(32))))
        count = len(published(connection))
    ring = KeyRing([new, old])
    bearers = [{"Authorization": client.headers["Authorization"]} for client in (ada, admin)]
    with another_process(settings, engine, ring) as other:
        path = f"{API}/secrets:rotate-keys"
        assert_problem(other.post(path, headers=bearers[0]), 403, "forbidden")
        answers = [other.post(path, headers=bearers[1]).json() for _ in range(2)]
        assert answers == [{"renewed": 1 + count, "unreadable": []}, {"renewed": 0, "unreadable": []}]
        with engine.begin() as connection:
            assert read_secret(connection, KeyRing([new]), ada_id, "oak") == "x"
            put_secret(connection, KeyRing(["l" * 32]), ada_id, "lost", "x")
        environment = {"HEADRACE_URL": str(other.base_url), "HEADRACE_TOKEN": bearers[1]["Authorization"].split()[1]}
        result = CliRunner().invoke(commands, ["secret", "rotate-keys"], env=environment)
        assert result.exit_code != 0
        assert "No configured master key opens: lost." in str(result.exception)
    with engine.begin() as connection:
        connection.execute(signing_keys.delete())  # nothing signs with what they hold now


def test_a_refused_secret_is_not_quoted(ada: httpx.Client) -> None:
    refused = ada.put(f"{API}/secrets/gh_webhook", json={"value": {"water": "in the mill"}})
    assert_problem(refused, 422, "invalid_request")
    assert "mill" not in refused.text
