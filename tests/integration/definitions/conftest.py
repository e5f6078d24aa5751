"""A site per module: a home and a copy of a database that has our schema and Dagster's tables."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from definitions import storage
from platform_core.postgres import EmbeddedPostgres
from platform_core.settings import Settings
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site, new_site

NewSite = Callable[..., Site]


@pytest.fixture(scope="session")
def dagster_template(postgres: EmbeddedPostgres, template: str) -> str:
    """Name of a database with our schema and Dagster's tables, to be copied."""
    name = "headrace_dagster_template"
    execute(postgres, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    storage.migrate(Settings(database_url=postgres.url_of(name)))
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
def start(site: Site) -> Iterator[Callable[[str], Service]]:
    """A function that starts a process of the site (`worker_pool`, `daemon`, `code_location`); ended with the test."""
    with ExitStack() as stack:
        yield lambda module: stack.enter_context(Service(module))


def execute(postgres: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())
