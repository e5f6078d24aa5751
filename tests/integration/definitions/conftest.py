"""A site per module: a home and a copy of a database that has our schema and Dagster's tables."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from definitions.instance import storage
from platform_core.database.postgres import EmbeddedPostgres
from platform_core.settings import Settings
from tests.integration.definitions.audit import INSTALL, take_violations
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site, new_site

NewSite = Callable[..., Site]


@pytest.fixture(scope="session")
def dagster_template(postgres: EmbeddedPostgres, template: str) -> str:
    """Name of a database with our schema, Dagster's tables and the audit of every commit, to be copied."""
    name = "headrace_dagster_template"
    with psycopg.connect(postgres.url_of("postgres")) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).rowcount:
            return name  # the contract tests, which have this fixture too, came first
    execute(postgres, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    storage.migrate(Settings(database_url=postgres.url_of(name)))
    with psycopg.connect(postgres.url_of(name), autocommit=True) as connection:
        connection.execute(INSTALL.encode())
    return name


@pytest.fixture(scope="module")
def create_site(postgres: EmbeddedPostgres, dagster_template: str) -> Iterator[NewSite]:
    """A function that makes a site with a fresh database; its arguments are further settings."""
    with ExitStack() as stack:

        def create(**environment: str) -> Site:
            name = f"test_{uuid.uuid4().hex}"
            execute(postgres, f'CREATE DATABASE "{name}" TEMPLATE "{dagster_template}"')
            stack.callback(execute, postgres, f'DROP DATABASE "{name}" WITH (FORCE)')
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-site-"))
            return stack.enter_context(new_site(Path(home), postgres.url_of(name), **environment))

        yield create


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    """The module's site."""
    return create_site()


@pytest.fixture
def start(site: Site, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Service]]:
    """A function that starts a process of the site (`worker_pool`, `daemon`, `code_location`); ended with the test."""
    started: list[Service] = []
    failed = request.session.testsfailed
    with ExitStack() as stack:

        def start(module: str) -> Service:
            started.append(stack.enter_context(Service(module)))
            return started[-1]

        yield start
        if request.session.testsfailed > failed:
            for service in started:
                request.node.add_report_section("call", service.module, service.log()[-8000:])


@pytest.fixture(autouse=True)
def _audited(request: pytest.FixtureRequest) -> Iterator[None]:
    """No commit of any test shows a run that contradicts its events or Dagster."""
    yield
    if "site" in request.fixturenames:
        assert take_violations(request.getfixturevalue("site").engine) == []


def execute(postgres: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())
