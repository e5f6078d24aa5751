"""Services of a run as installations have them, on a home of the test's own, with private targets allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from definitions.execution.context import ProcessContext
from definitions.services.services import Services
from platform_core.settings import Settings


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = Settings(home=tmp_path / "home", http_allow_private=True, services_allow_private=True)
    process = ProcessContext(settings)
    yield Services(process, "ann")
    process.interpreter.close()
    process.http.close()
