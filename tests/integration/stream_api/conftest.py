"""Fixtures of the stream tests: users, runs, a served application and clients of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
import psycopg
import pytest
from sqlalchemy.engine import Engine

from platform_core.auth import issue_token
from platform_core.database import plain_url
from platform_core.keys import KeyRing
from platform_core.settings import Settings
from platform_core.user_store import User
from platform_core.web.server import Server, server_config
from stream_api.app import create_app
from stream_api.streams import Streams
from tests.integration.stream_api.runs import create_owner
from tests.integration.stream_api.sse_client import SseClient
from tests.waiting import wait_until


@dataclass(frozen=True)
class Served:
    """A stream application on a loopback port."""

    url: str
    streams: Streams
    http: httpx.Client

    def client(self, token: str) -> SseClient:
        return SseClient(self.url, token, self.http)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection to look at the database and to write events with."""
    with psycopg.connect(plain_url(database_url), autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(engine: Engine) -> User:
    return create_owner(engine, "ada")


@pytest.fixture
def token(owner: User, keys: KeyRing) -> str:
    return issue_token(keys, owner.id, 3600)


@pytest.fixture
def serve(settings: Settings, engine: Engine, keys: KeyRing) -> Iterator[Callable[..., Served]]:
    """A function that serves the application; settings can be overridden by name."""
    with ExitStack() as stack:

        def start(**changes: object) -> Served:
            return stack.enter_context(serving(settings.model_copy(update=changes), engine, keys))

        yield start


@contextmanager
def serving(settings: Settings, engine: Engine, keys: KeyRing) -> Iterator[Served]:
    """The application on a free loopback port, listening to the database."""
    app = create_app(settings, engine=engine, keys=keys)
    server = Server(server_config(app, host="127.0.0.1", port=0), drain=app.state.streams.drain)
    thread = threading.Thread(target=server.run, name="stream api")
    thread.start()
    try:
        wait_until(lambda: server.started, "the stream application is served")
        wait_until(lambda: app.state.streams.listener.is_connected, "the stream application listens")
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(timeout=20) as http:
            yield Served(f"http://127.0.0.1:{port}", app.state.streams, http)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
