"""Running installations; their logs are shown when a test fails."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Generator, Iterator, Mapping
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    installation = getattr(item, "funcargs", {}).get("installation")
    if report.failed and isinstance(installation, Installation):
        report.sections.append(("Installation", installation.logs()))
    return report
