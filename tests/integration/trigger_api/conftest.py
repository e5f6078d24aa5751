"""The trigger application over a fresh database, and callers of each role."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from platform_core.database.tables import runs
from platform_core.identity.keys import KeyRing
from platform_core.identity.user_store import create_user
from platform_core.settings import Settings
from tests.serving import served
from tests.tokens import bearer_token
from trigger_api.app import create_app

API = "/api/v1"
PASSWORD = "correct horse"

NO_TLS = False
"""Loopback needs no certificates, and reading them costs a client 50 ms."""

Login = Callable[..., httpx.Client]


@pytest.fixture
def app(settings: Settings, engine: Engine, keys: KeyRing) -> FastAPI:
    return create_app(settings, engine=engine, keys=keys)


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """The application, served."""
    with served(app) as address:
        yield address


@pytest.fixture
def anonymous(address: str) -> Iterator[httpx.Client]:
    """A client without credentials."""
    with httpx.Client(base_url=address, timeout=60, verify=NO_TLS) as client:
        yield client


@pytest.fixture
def login(address: str, engine: Engine, keys: KeyRing) -> Iterator[Login]:
    """Creates a user and returns a client that carries their token."""
    with contextlib.ExitStack() as clients:

        def log_in(name: str, role: str = "editor") -> httpx.Client:
            with engine.begin() as connection:
                user = create_user(connection, name, PASSWORD, role)
            bearer = {"Authorization": f"Bearer {bearer_token(engine, keys, user.id, 600)}"}
            limits = httpx.Limits(max_connections=None)
            client = httpx.Client(base_url=address, headers=bearer, timeout=60, limits=limits, verify=NO_TLS)
            return clients.enter_context(client)

        yield log_in


@pytest.fixture
def ada(login: Login) -> httpx.Client:
    """An editor."""
    return login("ada")


@pytest.fixture
def admin(login: Login) -> httpx.Client:
    return login("root", "admin")


@contextlib.contextmanager
def another_process(settings: Settings, engine: Engine, keys: KeyRing) -> Iterator[httpx.Client]:
    """A client of a second application over the same database, which shares nothing else with the first."""
    with (
        served(create_app(settings, engine=engine, keys=keys)) as address,
        httpx.Client(base_url=address, timeout=60, verify=NO_TLS) as client,
    ):
        yield client


def document(name: str = "mill", **changes: Any) -> dict[str, Any]:
    """A valid graph document with one param; override any key."""
    return {
        "spec_version": 1,
        "name": name,
        "params": {
            "type": "object",
            "properties": {"water": {"type": "integer"}, "wheel": {"type": "string", "default": "oak"}},
            "required": ["water"],
        },
        "nodes": [{"id": "grind", "type": "transform", "config": {"value": "{{ params.water }}"}}],
        "outputs": {"flour": "{{ nodes.grind.value }}"},
        **changes,
    }


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, whose form is checked."""
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["type"] == f"urn:headrace:error:{code}"
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["title"]
    assert problem["detail"]
    return problem


def end_run(engine: Engine, run_id: str, status: str = "SUCCESS", **columns: Any) -> None:
    """What a run worker's last event does to the run."""
    with engine.begin() as connection:
        values = {"status": status, "ended_at": sa.func.clock_timestamp(), **columns}
        connection.execute(runs.update().where(runs.c.run_id == run_id).values(values))
