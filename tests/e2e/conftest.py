"""Running installations; their logs are shown when a test fails."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.installation import Installation


@contextmanager
def installed(variables: Mapping[str, str] | None = None) -> Iterator[Installation]:
    """A ready `up` in a home of its own; ended whatever happened to it."""
    with tempfile.TemporaryDirectory(prefix="headrace-e2e-") as folder:
        installation = Installation(Path(folder), uuid.uuid4().hex, variables)
        try:
            installation.start()
            yield installation
        finally:
            if not installation.has_ended:
                installation.stop()


@pytest.fixture(scope="package")
def installation() -> Iterator[Installation]:
    """The `up` that all tests share that leave it as it was; modules that disturb it have one of their own."""
    with installed() as installation:
        yield installation


@pytest.fixture(autouse=True)
def _logs_on_failure(request: pytest.FixtureRequest) -> Iterator[None]:
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed and "installation" in request.fixturenames:
        installation: Installation = request.getfixturevalue("installation")
        request.node.add_report_section("call", "installation", installation.logs())
