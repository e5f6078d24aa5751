"""What a process keeps: things made when first used."""

from __future__ import annotations

from pathlib import Path

import pytest

from definitions.execution.context import ProcessContext
from platform_core.settings import Settings


def test_engine_without_a_database_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="HEADRACE_DATABASE_URL is not set"):
        _ = ProcessContext(Settings(home=tmp_path, database_url=None)).engine
