"""Fixtures of the stream tests: users, runs, a served application and clients of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import psycopg
import pytest
from sqlalchemy.engine import Engine

from platform_core.database.engine import plain_url
from platform_core.identity.keys import KeyRing
from platform_core.identity.user_store import User
from platform_core.settings import Settings
from platform_core.web.server import Server, server_config
from stream_api.app import create_app
from stream_api.serving.streams import Streams
from tests.integration.stream_api.runs import create_owner, create_run
from tests.integration.stream_api.sse_client import SseClient
from tests.serving import PromptEnd
from tests.tokens import bearer_token
from tests.waiting import wait_until


class _Server(Server, PromptEnd):
    """The server that we ship, which ends at once if nobody is connected."""


class Running:
    """One server, from ready to stopped."""

    def __init__(self, settings: Settings, engine: Engine, keys: KeyRing, listening: socket.socket) -> None:
        app = create_app(settings, engine=engine, keys=keys)
        self.streams: Streams = app.state.streams
        self._server = _Server(server_config(app), drain=self.streams.drain)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="stream api", daemon=True
        )
        self._thread.start()
        wait_until(lambda: self._server.started, "the stream application is served")
        wait_until(lambda: self.streams.listener.is_connected, "the stream application listens")

    def stop(self) -> None:
        self._server.end()
        self._thread.join(20)
        assert not self._thread.is_alive()


class Served:
    """A stream application on a loopback port; connections wait there while it is restarted."""

    def __init__(self, url: str, http: httpx.Client, start: Callable[[], Running]) -> None:
        self.url = url
        self.http = http
        self._start = start
        self.running = start()

    @property
    def streams(self) -> Streams:
        return self.running.streams

    def client(self, token: str) -> SseClient:
        return SseClient(self.url, token, self.http)

    def restart(self) -> None:
        """Stop the application and serve it again at the same address."""
        self.running.stop()
        self.running = self._start()


Serve = Callable[..., Served]


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection to look at the database and to write events with."""
    with psycopg.connect(plain_url(database_url), autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(engine: Engine) -> User:
    return create_owner(engine, "ada")


@pytest.fixture
def token(owner: User, engine: Engine, keys: KeyRing) -> str:
    return bearer_token(engine, keys, owner.id, 3600)


@pytest.fixture
def run_id(engine: Engine, owner: User) -> str:
    return create_run(engine, owner)


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
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening, httpx.Client(timeout=20) as http:
        served = Served(
            f"http://127.0.0.1:{listening.getsockname()[1]}",
            http,
            lambda: Running(settings, engine, keys, listening.dup()),
        )
        try:
            yield served
        finally:
            http.close()
            served.running.stop()
