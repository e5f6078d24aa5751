"""A browser that is signed in follows runs by its cookie, on pages of ours only and while the session lasts."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy.engine import Engine

from platform_core.database.engine import transaction
from platform_core.identity.session_store import SESSION_COOKIE, begin_session, end_session
from platform_core.identity.user_store import User, change_user
from platform_core.settings import Settings
from tests.integration.stream_api.conftest import Serve
from tests.integration.stream_api.socket_client import open_page_socket


@pytest.fixture
def session_id(engine: Engine, settings: Settings, owner: User) -> str:
    with transaction(engine) as connection:
        return begin_session(connection, settings, owner.id).id


def headers(session_id: str, **more: str) -> dict[str, str]:
    return {"Cookie": f"{SESSION_COOKIE}={session_id}", **more}


def test_events_come_by_the_cookie_to_pages_of_ours_only(serve: Serve, run_id: str, session_id: str) -> None:
    served = serve()
    address = f"{served.url}/api/v1/runs/{run_id}/events?follow=false"

    def ask(**more: str) -> httpx.Response:
        return served.http.get(address, headers=headers(session_id, **more))

    assert ask().status_code == 200
    assert ask(**{"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert ask(Origin=served.url).status_code == 200
    for foreign in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "same-site"}):
        refused = ask(**foreign)
        assert (refused.status_code, refused.json()["code"]) == (403, "foreign_page")


@pytest.mark.parametrize("path", ["ws", "runs/RUN/ws"])
def test_a_socket_of_a_foreign_page_is_nobodys(serve: Serve, run_id: str, session_id: str, path: str) -> None:
    url = serve().url
    foreign = headers(session_id, Origin="https://elsewhere.example")
    with open_page_socket(url, path.replace("RUN", run_id), foreign) as socket:
        socket.say(op="subscribe", id="a", run=run_id)
        assert socket.rest()[1] == 4400


@pytest.mark.parametrize("end", ["sign out", "password", "role"])
def test_a_socket_lasts_no_longer_than_the_session(
    serve: Serve, run_id: str, engine: Engine, session_id: str, end: str
) -> None:
    url = serve(right_check=0.05).url
    with open_page_socket(url, f"runs/{run_id}/ws", headers(session_id, Origin=url)) as socket:
        socket.hear_until(seq=1)
        with transaction(engine) as connection:
            if end == "sign out":
                end_session(connection, session_id)
            elif end == "password":
                change_user(connection, "ada", password="battery staple")
            else:
                change_user(connection, "ada", role="viewer")
        assert socket.rest()[1:] == (4401, "unauthorized")
