"""The proxy before Dagster's UI: who passes, and what. The UI's server is a real one that answers what it was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.engine import Engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from headrace_cli.up.endpoint import listen_locally
from platform_core.database.tables import users
from platform_core.facts.credential import Credential
from platform_core.identity.keys import KeyRing
from platform_core.identity.session_store import SESSION_COOKIE, begin_session, end_session
from platform_core.identity.ui_pass import author_of
from platform_core.operation.dagster_ui import dagster_ui
from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import Login, assert_problem
from tests.serving import served
from trigger_api.app import create_app

GRAPHQL = "/dagster/graphql"


async def _echo(request: Request) -> Response:
    """What was asked, and an answer that tries to say too much."""
    body = (await request.body()).decode("latin-1")
    asked = {"method": request.method, "target": str(request.url.query), "headers": request.headers.items()}
    headers = {"Set-Cookie": "headrace_session=stolen", "Connection": "X-Hop", "X-Hop": "1", "X-End": "1"}
    return JSONResponse({**asked, "body": body}, headers=headers | {"Service-Worker-Allowed": "/"})


async def _large(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100_000

    return StreamingResponse(pieces(), media_type="text/csv")


async def _talk(socket: WebSocket) -> None:
    await socket.accept(subprotocol="graphql-ws")
    await socket.send_text(json.dumps(socket.headers.items()))
    async for message in socket.iter_text():
        if message == "end":
            await socket.close(4001, "as asked")
            return
        await socket.send_text(message * 2)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"right_check": 0.05})


@pytest.fixture
def ui(settings: Settings) -> Iterator[None]:
    """The server of the UI, at its socket."""
    place = dagster_ui(settings).socket
    assert place is not None
    routes = [
        Route("/dagster/large", _large),
        Route("/dagster/moved", lambda _: RedirectResponse("http://elsewhere:3000/dagster/runs?a=b")),
        WebSocketRoute("/dagster/graphql", _talk),
        Route("/{path:path}", _echo, methods=["GET", "POST"]),
    ]
    with served(Starlette(routes=routes), ws="websockets-sansio", listening=listen_locally(Path(place))):
        yield


@pytest.fixture
def address(app: FastAPI, ui: None) -> Iterator[str]:
    with served(app, ws="websockets-sansio") as address:
        yield address


def _socket(client: httpx.Client, origin: Origin | None = None) -> ClientConnection:
    url = str(client.base_url).replace("http", "ws").rstrip("/") + GRAPHQL
    headers = {name: client.headers[name] for name in ("Authorization", "Cookie") if name in client.headers}
    return connect(url, additional_headers=headers, subprotocols=[Subprotocol("graphql-ws")], proxy=None, origin=origin)


def _sent(answer: httpx.Response) -> dict[str, str]:
    """The headers that the UI was sent."""
    return dict(answer.raise_for_status().json()["headers"])


def test_what_an_administrator_asks_is_passed_on_with_a_pass_that_names_them(
    admin: httpx.Client, keys: KeyRing
) -> None:
    answer = admin.post("/dagster/a%2Fb?x=1&y=%20", content=b"\xff{}", headers={"X-Own": "1", "Cookie": "a=b"})
    asked = answer.json()
    assert (asked["method"], asked["target"], asked["body"]) == ("POST", "x=1&y=%20", "ÿ{}")
    sent = _sent(answer)
    assert sent["x-own"] == "1"
    assert not {"authorization", "cookie"} & sent.keys()
    assert author_of(keys, sent["x-headrace-pass"]).name == "root"


def test_a_browser_cannot_make_a_pass_of_its_own(admin: httpx.Client, keys: KeyRing) -> None:
    sent = _sent(admin.get("/dagster/x", headers={"X-Headrace-Pass": "mine", "Connection": "X-Own", "X-Own": "1"}))
    assert author_of(keys, sent["x-headrace-pass"]).name == "root"
    assert "x-own" not in sent


def test_what_the_ui_answers_changes_nothing_of_our_origin(admin: httpx.Client) -> None:
    answer = admin.get("/dagster/x")
    assert answer.headers["x-end"] == "1"
    assert not {"set-cookie", "x-hop", "service-worker-allowed"} & answer.headers.keys()
    assert f"connect-src {admin.base_url}".rstrip("/") in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert admin.get("/api/v1/graphs").headers["content-security-policy"].startswith("default-src 'none'; frame")


def test_bodies_are_streamed(admin: httpx.Client) -> None:
    assert len(admin.get("/dagster/large").content) == 10_000_000
    assert _sent(admin.post("/dagster/x", content=iter([b"a", b"b"])))["transfer-encoding"] == "chunked"
    assert_problem(admin.post("/dagster/x", content=b"x" * 9_000_000), 413, "too_large")


def test_redirects_stay_at_our_address(admin: httpx.Client) -> None:
    assert admin.get("/dagster/moved").headers["location"] == "/dagster/runs?a=b"
    assert admin.get("/dagster").headers["location"].endswith("/dagster/")


def test_nobody_else_reaches_it(anonymous: httpx.Client, ada: httpx.Client) -> None:
    assert_problem(anonymous.get("/dagster/x"), 401, "unauthorized")
    assert_problem(anonymous.get("/dagster/x", headers={"Authorization": "Basic eDp5"}), 401, "unauthorized")
    assert_problem(ada.get("/dagster/x"), 403, "forbidden")
    assert_problem(ada.post(GRAPHQL, json={"query": "{version}"}), 403, "forbidden")


def test_an_administrators_key_without_that_scope_does_not_either(admin: httpx.Client) -> None:
    key = admin.post("/api/v1/api-keys", json={"name": "reads", "scopes": ["runs:read"]}).json()["key"]
    assert_problem(admin.get("/dagster/x", headers={"Authorization": f"Bearer {key}"}), 403, "forbidden")


def test_a_page_that_is_opened_without_a_session_leads_to_the_sign_in_and_back(anonymous: httpx.Client) -> None:
    page = {"Accept": "text/html,*/*"}
    answer = anonymous.get("/dagster/runs/r1?tab=a&b=c", headers=page)
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=/dagster/runs/r1%3Ftab%3Da%26b%3Dc")
    assert_problem(anonymous.post("/dagster/runs", headers=page), 401, "unauthorized")


def test_foreign_pages_and_names_are_refused(admin: httpx.Client) -> None:
    assert admin.post(GRAPHQL, headers={"Origin": str(admin.base_url).rstrip("/")}).status_code == 200
    assert_problem(admin.post(GRAPHQL, headers={"Origin": "https://evil.example"}), 403, "forbidden")
    assert_problem(admin.post(GRAPHQL, headers={"Origin": "null"}), 403, "forbidden")
    assert_problem(admin.get("/dagster/x", headers={"Host": "evil.example"}), 403, "forbidden")
    assert_problem(admin.get(GRAPHQL, params={"query": "mutation{x}"}), 405, "method_not_allowed")
    with pytest.raises(InvalidStatus, match="403"), _socket(admin, origin=Origin("https://evil.example")):
        pass


def test_messages_pass_both_ways_and_so_does_the_close(admin: httpx.Client, keys: KeyRing) -> None:
    with _socket(admin, origin=Origin(str(admin.base_url).rstrip("/"))) as socket:
        assert socket.subprotocol == "graphql-ws"
        sent = dict(json.loads(socket.recv(30)))
        assert author_of(keys, sent["x-headrace-pass"]).name == "root"
        assert "authorization" not in sent
        socket.send("x" * 500_000)
        assert socket.recv(30) == "x" * 1_000_000
        socket.send("end")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(30)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as asked")


def test_nobody_else_opens_a_socket(anonymous: httpx.Client, ada: httpx.Client) -> None:
    for client in (anonymous, ada):
        with pytest.raises(InvalidStatus, match="403"), _socket(client):
            pass


@pytest.mark.parametrize("change", [{"role": "editor"}, {"disabled_at": "now"}])
def test_who_is_no_administrator_any_more_loses_open_sockets(
    admin: httpx.Client, engine: Engine, change: dict[str, str]
) -> None:
    with _socket(admin) as socket:
        socket.recv(30)
        with engine.begin() as connection:
            connection.execute(users.update().where(users.c.name == "root").values(change))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


def test_a_ui_that_is_not_there_is_a_clear_answer(
    settings: Settings, engine: Engine, keys: KeyRing, login: Login
) -> None:
    away = settings.model_copy(update={"ui_url": "http://127.0.0.1:9"})
    root = login("root", "admin")
    with served(create_app(away, engine=engine, keys=keys), ws="websockets-sansio") as address:
        root.base_url = httpx.URL(address)
        problem = assert_problem(root.get("/dagster/x"), 503, "unavailable")
        assert problem["detail"].startswith("Dagster's UI does not answer.")
        with _socket(root) as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


@pytest.fixture
def browser(admin: httpx.Client, engine: Engine, settings: Settings) -> httpx.Client:
    """Of an administrator who is signed in, as a browser is."""
    with engine.begin() as connection:
        user_id = connection.execute(sa.select(users.c.id).where(users.c.name == "root")).scalar_one()
        session = begin_session(connection, settings, user_id)
    del admin.headers["Authorization"]
    admin.headers["Cookie"] = f"other=1; {SESSION_COOKIE}={session.id}"
    return admin


def test_a_session_reaches_it_and_goes_no_further(browser: httpx.Client, keys: KeyRing) -> None:
    sent = _sent(browser.get("/dagster/x"))
    author = author_of(keys, sent["x-headrace-pass"])
    assert (author.name, author.credential) == ("root", Credential.SESSION)
    assert "cookie" not in sent


def test_with_a_session_the_browser_says_which_page_asks(browser: httpx.Client) -> None:
    here = str(browser.base_url).rstrip("/")
    assert browser.post(GRAPHQL, headers={"Origin": here}).status_code == 200
    for headers in ({}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}):
        assert browser.post(GRAPHQL, headers=headers).status_code == 403
    with pytest.raises(InvalidStatus, match="403"), _socket(browser):
        pass


def test_signing_out_ends_open_sockets(browser: httpx.Client, engine: Engine) -> None:
    here = str(browser.base_url).rstrip("/")
    with _socket(browser, origin=Origin(here)) as socket:
        socket.recv(30)
        with engine.begin() as connection:
            end_session(connection, browser.headers["Cookie"].rpartition("=")[2])
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(30)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "unauthorized")
    page = browser.get("/dagster/", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/signin?next=/dagster/")
