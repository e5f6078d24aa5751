"""The page by which a browser signs in: by a password or by a link, and only on to pages of ours."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy.engine import Engine

from platform_core.identity.signin_links import new_link_token
from platform_core.identity.ticket_store import issue_ticket
from tests.integration.trigger_api.conftest import API, PASSWORD, assert_problem


@pytest.fixture
def browser(anonymous: httpx.Client) -> httpx.Client:
    anonymous.headers["Origin"] = str(anonymous.base_url).rstrip("/")
    return anonymous


def who(browser: httpx.Client) -> str:
    return str(browser.get(f"{API}/auth/me").raise_for_status().json()["name"])


def user_id(client: httpx.Client) -> str:
    return str(client.get(f"{API}/auth/me").json()["id"])


def test_page_has_a_form_and_no_script(anonymous: httpx.Client) -> None:
    page = anonymous.get("/signin", params={"next": '/dagster/"><script>'})
    assert page.status_code == 200
    assert 'name="password"' in page.text
    assert "<script" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy


def test_password_signs_in_and_goes_on(browser: httpx.Client, ada: httpx.Client) -> None:
    form = {"username": "ada", "password": PASSWORD, "next": "/dagster/runs?q=a"}
    answer = browser.post("/signin", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dagster/runs?q=a")
    assert who(browser) == "ada"


@pytest.mark.parametrize(
    "wanted", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "/\t/x", "runs", ""]
)
def test_nobody_is_sent_to_another_site(browser: httpx.Client, ada: httpx.Client, wanted: str) -> None:
    answer = browser.post("/signin", data={"username": "ada", "password": PASSWORD, "next": wanted})
    assert (answer.status_code, answer.headers["location"]) == (303, "/docs")


def test_wrong_password_is_told_on_the_page(browser: httpx.Client, ada: httpx.Client) -> None:
    answer = browser.post("/signin", data={"username": "ada", "password": "wrong", "next": "/x"})
    assert answer.status_code == 401
    assert "is wrong" in answer.text
    assert 'name="next" value="/x"' in answer.text
    assert not browser.cookies


def test_page_of_another_origin_signs_nobody_in(anonymous: httpx.Client, ada: httpx.Client) -> None:
    form = {"username": "ada", "password": PASSWORD}
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        assert_problem(anonymous.post("/signin", data=form, headers=headers), 403, "foreign_page")


def test_link_signs_in_once_and_a_look_at_it_uses_nothing_up(
    browser: httpx.Client, ada: httpx.Client, engine: Engine
) -> None:
    with engine.begin() as connection:
        token = new_link_token(connection, user_id(ada))
    for _ in range(2):
        assert token in browser.get("/signin", params={"token": token}).text
    assert browser.post("/signin", data={"token": token}).status_code == 303
    assert who(browser) == "ada"
    again = browser.post("/signin", data={"token": token})
    assert (again.status_code, "This link was used" in again.text) == (401, True)


def test_link_of_a_disabled_user_and_a_ticket_sign_nobody_in(
    browser: httpx.Client, ada: httpx.Client, admin: httpx.Client, engine: Engine
) -> None:
    with engine.begin() as connection:
        ticket = issue_ticket(connection, user_id(ada), None)
        token = new_link_token(connection, user_id(ada))
    assert browser.post("/signin", data={"token": ticket}).status_code == 401
    admin.patch(f"{API}/users/ada", json={"disabled": True}).raise_for_status()
    assert browser.post("/signin", data={"token": token}).status_code == 401
    assert_problem(browser.get(f"{API}/auth/me"), 401, "unauthorized")
