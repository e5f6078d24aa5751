"""Fixtures of all tiers: one embedded PostgreSQL per session, an empty migrated database per test."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as property_settings
from sqlalchemy.engine import Engine
from xdist.remote import Producer

from platform_core.database import schema
from platform_core.database.engine import build_engine
from platform_core.database.postgres import STOP_SIGNAL, EmbeddedPostgres
from platform_core.identity.keys import KeyRing
from platform_core.settings import Settings
from tests.databases import Databases
from tests.distribution import ByModule, by_slowness, processes
from tests.waiting import wait_until

TEMPLATE = "headrace_template"

# Machines are shared, and no property is about time.
property_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
property_settings.load_profile("untimed")


def pytest_configure() -> None:
    # In the background of a script SIGINT is ignored, and Dagster gives SIGTERM the same fate in a process that has
    # executed a job (`dagster._utils.interrupts`): no child of a later test could be ended by it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    return processes()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByModule:
    return ByModule(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: by_slowness(item.nodeid))


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A running embedded server with an empty home of its own."""
    with tempfile.TemporaryDirectory(prefix="headrace-tests-") as folder:
        server = EmbeddedPostgres(Path(folder))
        server.prepare()
        # A test database may forget its last second when the machine dies; nobody waits for the disk.
        command = [*server.command(), "-c", "fsync=off"]
        with (Path(folder) / "postgres.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, **server.options())
        try:
            wait_until(server.is_ready, "the embedded PostgreSQL accepts connections")
            yield server
        finally:
            process.send_signal(STOP_SIGNAL)
            process.wait(30)


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres) -> str:
    """Name of a database with our schema migrated, to be copied."""
    postgres.ensure_database(TEMPLATE)
    schema.migrate(postgres.url_of(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def create_database(postgres: EmbeddedPostgres) -> Iterator[Callable[[str | None], str]]:
    """A function that copies a template (or makes an empty database for None) and returns its address."""
    created: list[str] = []

    def create(template: str | None) -> str:
        name = f"test_{uuid.uuid4().hex}"
        _execute(postgres, f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}" STRATEGY FILE_COPY')
        created.append(name)
        return postgres.url_of(name)

    yield create
    for name in created:
        _execute(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(postgres: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture(scope="session")
def databases(postgres: EmbeddedPostgres, template: str) -> Databases:
    return Databases(postgres, template)


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, databases: Databases) -> Iterator[str]:
    """Address of an empty database with our schema, the test's own."""
    name = databases.take()
    yield postgres.url_of(name)
    databases.give_back(name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = build_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", database_url=database_url, public_url="http://headrace.test")


@pytest.fixture
def keys(settings: Settings) -> KeyRing:
    return KeyRing.load_or_create(settings)
