"""Who may follow a run, and what the others are answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from platform_core.database.engine import build_engine, transaction
from platform_core.identity.api_key_store import create_api_key
from platform_core.identity.auth import ROLE_SCOPES, Principal
from platform_core.identity.keys import KeyRing
from platform_core.identity.ticket_store import issue_ticket
from platform_core.identity.user_store import User
from platform_core.settings import Settings
from stream_api.app import create_app
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import append, create_owner, create_run
from tests.tokens import bearer_token


@pytest.fixture
def run_id(engine: Engine, owner: User, connection: psycopg.Connection) -> str:
    """A run with three events that goes on."""
    run_id = create_run(engine, owner)
    append(connection, run_id, count=2)
    return run_id


@pytest.fixture
def app(settings: Settings, engine: Engine, keys: KeyRing) -> FastAPI:
    return create_app(settings, engine=engine, keys=keys)


async def ask(app: FastAPI, path: str, token: str | None = None, **params: str) -> httpx.Response:
    """The answer to a request that ends before anything is streamed."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://headrace.test") as client:
        return await client.get(path, params=params, headers=headers)


def events_of(run_id: str) -> str:
    return f"/api/v1/runs/{run_id}/events"


def problem(response: httpx.Response) -> tuple[int, str, str]:
    """Status, media type and code of a problem document."""
    return response.status_code, response.headers["content-type"], response.json()["code"]


def refused(status: int, code: str) -> tuple[int, str, str]:
    return status, "application/problem+json", code


async def test_without_credentials_nothing_is_shown(app: FastAPI, run_id: str) -> None:
    response = await ask(app, events_of(run_id))
    assert problem(response) == refused(401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["nonsense", "hr_nonsense", "a.b.c"])
async def test_a_token_that_does_not_hold_is_refused(app: FastAPI, run_id: str, token: str) -> None:
    assert problem(await ask(app, events_of(run_id), token)) == refused(401, "unauthorized")


async def test_an_expired_token_says_so(app: FastAPI, run_id: str, owner: User, engine: Engine, keys: KeyRing) -> None:
    assert problem(await ask(app, events_of(run_id), bearer_token(engine, keys, owner.id, -60))) == refused(
        401, "token_expired"
    )


async def test_an_api_key_needs_the_scope(app: FastAPI, run_id: str, owner: User, engine: Engine) -> None:
    principal = Principal(owner.id, owner.name, owner.role, ROLE_SCOPES[owner.role])
    with transaction(engine) as connection:
        _, key = create_api_key(connection, principal, "graphs only", ["graphs:read"])
    assert problem(await ask(app, events_of(run_id), key)) == refused(403, "forbidden")


@pytest.mark.parametrize("role", ["viewer", "operator", "editor"])
async def test_a_run_of_somebody_else_does_not_exist(
    app: FastAPI, run_id: str, engine: Engine, keys: KeyRing, role: str
) -> None:
    other = bearer_token(engine, keys, create_owner(engine, "eve", role).id, 600)
    foreign = await ask(app, events_of(run_id), other)
    unknown = await ask(app, events_of("run-x"), other)
    assert problem(foreign) == problem(unknown) == refused(404, "run_not_found")
    assert foreign.json()["detail"].replace(run_id, "run-x") == unknown.json()["detail"]


@pytest.mark.parametrize("name", ["run-x", "%00", "%F0%9F%92%A7", "x" * 3000])
async def test_an_unknown_run_is_not_found(app: FastAPI, token: str, name: str) -> None:
    assert problem(await ask(app, events_of(name), token)) == refused(404, "run_not_found")


@pytest.mark.parametrize("cursor", ["x", "-1", "1.0", "+1", "٣", "01", "99999999999", "2147483648", "1 ", "\0", "4"])
async def test_a_cursor_that_is_none_of_the_run_is_refused(app: FastAPI, run_id: str, token: str, cursor: str) -> None:
    assert problem(await ask(app, events_of(run_id), token, cursor=cursor)) == refused(400, "bad_cursor")


async def test_a_cursor_is_not_looked_at_for_strangers(app: FastAPI, run_id: str) -> None:
    assert problem(await ask(app, events_of(run_id), cursor="x")) == refused(401, "unauthorized")


async def test_a_database_that_is_away_is_a_503_that_says_when_to_come_back(
    settings: Settings, keys: KeyRing, tmp_path: Path, run_id: str, token: str
) -> None:
    engine = build_engine(f"postgresql://postgres@/nothing?host={tmp_path}")
    response = await ask(create_app(settings, engine=engine, keys=keys), events_of(run_id), token)
    assert problem(response) == refused(503, "unavailable")
    assert response.headers["retry-after"] == "1"


def test_an_administrator_follows_every_run(
    serve: Callable[..., Served], run_id: str, engine: Engine, keys: KeyRing
) -> None:
    admin = bearer_token(engine, keys, create_owner(engine, "root", "admin").id, 600)
    assert len(serve().client(admin).events(run_id, limit=3)) == 3


def test_a_ticket_opens_one_stream_of_its_run(
    serve: Callable[..., Served], run_id: str, owner: User, engine: Engine, connection: psycopg.Connection
) -> None:
    append(connection, run_id, "run.succeeded")
    with transaction(engine) as writing:
        ticket = issue_ticket(writing, owner.id, run_id)
    served = serve()
    first, second = (served.http.get(served.url + events_of(run_id), params={"ticket": ticket}) for _ in range(2))
    assert (first.status_code, first.text.count("event: ")) == (200, 4)
    assert problem(second) == refused(401, "unauthorized")


async def test_a_ticket_of_another_run_is_refused(app: FastAPI, run_id: str, owner: User, engine: Engine) -> None:
    with transaction(engine) as writing:
        ticket = issue_ticket(writing, owner.id, "another run")
    assert problem(await ask(app, events_of(run_id), ticket=ticket)) == refused(401, "unauthorized")
