"""Browsers sign in, and no page but ours uses their session."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.trigger_api.conftest import API, PASSWORD, Login, assert_problem, document

SESSION = f"{API}/auth/session"


def sign_in(client: httpx.Client, name: str = "ada", password: str = PASSWORD, **headers: str) -> httpx.Response:
    given = headers or {"Origin": str(client.base_url).rstrip("/")}
    return client.post(SESSION, json={"username": name, "password": password}, headers=given)


@pytest.fixture
def browser(anonymous: httpx.Client, ada: httpx.Client) -> httpx.Client:
    """A client that keeps ada's cookie and sends the token and the origin of our own page."""
    begun = sign_in(anonymous)
    assert begun.status_code == 201
    anonymous.headers["X-CSRF-Token"] = begun.json()["csrf_token"]
    anonymous.headers["Origin"] = str(anonymous.base_url).rstrip("/")
    return anonymous


def test_a_browser_signs_in_works_and_signs_out(browser: httpx.Client) -> None:
    shown = browser.get(SESSION).json()
    assert (shown["user"], shown["role"], shown["csrf_token"]) == ("ada", "editor", browser.headers["X-CSRF-Token"])
    assert browser.get(f"{API}/auth/me").json()["name"] == "ada"
    assert browser.post(f"{API}/graphs", json=document()).status_code == 201
    assert browser.post(f"{API}/graphs/mill/runs", json={"params": {"water": 1}}).status_code == 202
    kept = dict(browser.cookies)
    assert browser.delete(SESSION).status_code == 204
    assert not browser.cookies
    browser.cookies.update(kept)
    assert_problem(browser.get(f"{API}/auth/me"), 401, "unauthorized")


def test_the_cookie_is_for_no_script_and_no_other_site(anonymous: httpx.Client, ada: httpx.Client) -> None:
    begun = sign_in(anonymous)
    name, *attributes = begun.headers["set-cookie"].split("; ")
    assert name.startswith("headrace_session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(attributes)
    assert "Secure" not in attributes
    assert begun.headers["cache-control"] == "no-store"
    assert anonymous.cookies["headrace_session"] not in begun.text


def test_a_sign_in_renews_the_session(browser: httpx.Client) -> None:
    fixed = browser.cookies["headrace_session"]
    assert sign_in(browser).status_code == 201
    assert browser.cookies["headrace_session"] != fixed
    browser.cookies.clear()
    stolen = browser.get(f"{API}/auth/me", headers={"Cookie": f"headrace_session={fixed}"})
    assert_problem(stolen, 401, "unauthorized")


@pytest.mark.parametrize(
    "change",
    [
        {"X-CSRF-Token": None},
        {"X-CSRF-Token": "x"},
        {"X-CSRF-Token": "é"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": None},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_what_no_page_of_ours_sent_changes_nothing(browser: httpx.Client, change: dict[str, Any]) -> None:
    for name, value in change.items():
        if value is None:
            del browser.headers[name]
        else:
            browser.headers[name] = value
    for refused in (
        browser.post(f"{API}/graphs", json=document()),
        browser.post(f"{API}/graphs/mill/runs", json={"params": {"water": 1}}),
        browser.delete(SESSION),
    ):
        assert_problem(refused, 403, "foreign_page")
    assert browser.get(f"{API}/graphs").json()["items"] == []


def test_no_foreign_page_signs_a_browser_in(anonymous: httpx.Client, ada: httpx.Client) -> None:
    assert_problem(sign_in(anonymous, Origin="https://elsewhere.example"), 403, "foreign_page")
    assert_problem(sign_in(anonymous, **{"User-Agent": "none that says where it is"}), 403, "foreign_page")
    assert not anonymous.cookies


def test_wrong_credentials_begin_nothing(anonymous: httpx.Client, ada: httpx.Client) -> None:
    assert_problem(sign_in(anonymous, password="guess"), 401, "bad_credentials")
    assert not anonymous.cookies
    for method in ("GET", "DELETE"):
        assert_problem(anonymous.request(method, SESSION), 401, "unauthorized")


def test_a_bearer_token_goes_before_the_cookie(browser: httpx.Client, login: Login) -> None:
    bearer = {"Authorization": login("bob").headers["Authorization"], "Origin": "https://elsewhere.example"}
    assert browser.get(f"{API}/auth/me", headers=bearer).json()["name"] == "bob"
    assert browser.post(f"{API}/graphs", json=document(), headers=bearer).json()["owner"] == "bob"


def test_a_user_who_is_disabled_is_signed_out(browser: httpx.Client, admin: httpx.Client) -> None:
    assert admin.patch(f"{API}/users/ada", json={"disabled": True}).status_code == 200
    assert_problem(browser.get(f"{API}/auth/me"), 401, "unauthorized")


def test_logging_out_everywhere_ends_every_session_and_token_but_no_key(
    browser: httpx.Client, ada: httpx.Client, login: Login, admin: httpx.Client
) -> None:
    key = ada.post(f"{API}/api-keys", json={"name": "ci", "scopes": ["runs:read"]}).json()["key"]
    by_key = {"Authorization": f"Bearer {key}"}
    assert_problem(browser.post(f"{API}/auth/logout-everywhere", headers=by_key), 403, "forbidden")
    kept, bob = dict(browser.cookies), login("bob")
    assert browser.post(f"{API}/auth/logout-everywhere").status_code == 204
    assert not browser.cookies
    browser.cookies.update(kept)
    assert_problem(browser.get(f"{API}/auth/me"), 401, "unauthorized")
    assert_problem(ada.get(f"{API}/auth/me"), 401, "unauthorized")
    assert browser.get(f"{API}/runs", headers=by_key).status_code == 200
    assert bob.get(f"{API}/auth/me").status_code == 200
    [row, *_] = admin.get(f"{API}/audit", params={"actor": "ada"}).json()["items"]
    assert (row["action"], row["credential"]) == ("login.ended", "session")


def test_a_new_password_of_ones_own_leaves_this_browser_signed_in_and_nobody_else(
    browser: httpx.Client, ada: httpx.Client, admin: httpx.Client
) -> None:
    former = browser.cookies["headrace_session"]
    key = ada.post(f"{API}/api-keys", json={"name": "ci", "scopes": ["runs:read"]}).json()["key"]
    change = {"old": PASSWORD, "new": "battery staple"}
    by_key = {"Authorization": f"Bearer {key}"}
    assert_problem(browser.post(f"{API}/auth/password", json=change, headers=by_key), 403, "forbidden")
    wrong = browser.post(f"{API}/auth/password", json={**change, "old": "guess"})
    assert_problem(wrong, 401, "bad_credentials")
    short = browser.post(f"{API}/auth/password", json={**change, "new": "short"})
    assert_problem(short, 422, "invalid_request")
    assert browser.post(f"{API}/auth/password", json=change).status_code == 204
    assert browser.get(f"{API}/auth/me").json()["name"] == "ada"
    assert browser.cookies["headrace_session"] != former
    assert_problem(ada.get(f"{API}/auth/me"), 401, "unauthorized")
    browser.cookies.clear()
    stolen = browser.get(f"{API}/auth/me", headers={"Cookie": f"headrace_session={former}"})
    assert_problem(stolen, 401, "unauthorized")
    assert_problem(sign_in(browser), 401, "bad_credentials")
    assert sign_in(browser, password="battery staple").status_code == 201
    changed = admin.get(f"{API}/audit", params={"actor": "ada", "action": "user.changed"}).json()["items"]
    assert [(row["credential"], row["after"]) for row in changed] == [("session", {"password": "changed"})]
