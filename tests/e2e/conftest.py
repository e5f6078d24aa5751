"""One running installation per module; its logs are shown when a test of the module fails."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import Installation


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="headrace-e2e-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def installation(home: Path) -> Iterator[Installation]:
    """A ready `up`; ended with the module, whatever happened to it."""
    installation = Installation(home, uuid.uuid4().hex)
    try:
        installation.start()
        yield installation
    finally:
        if not installation.has_ended:
            installation.stop()


@pytest.fixture(autouse=True)
def _logs_on_failure(request: pytest.FixtureRequest) -> Iterator[None]:
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed and "installation" in request.fixturenames:
        installation: Installation = request.getfixturevalue("installation")
        request.node.add_report_section("call", "installation", installation.logs())
