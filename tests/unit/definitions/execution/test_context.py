"""What a process keeps: whether its run is to end, and things made when first used."""

from __future__ import annotations

from pathlib import Path

import pytest

from definitions.execution.context import Cancellation, ProcessContext
from platform_core.settings import Settings


def test_every_listener_is_told_also_one_that_comes_too_late() -> None:
    cancellation, told = Cancellation(), []
    cancellation.subscribe(lambda: told.append("early"))
    assert told == []
    cancellation.request()
    cancellation.subscribe(lambda: told.append("late"))
    assert told == ["early", "late"]
    assert cancellation.requested.is_set()


def test_next_run_is_not_canceled_and_tells_no_listener_of_the_run_before() -> None:
    cancellation, told = Cancellation(), []
    cancellation.subscribe(lambda: told.append("former"))
    cancellation.request()
    cancellation.reset()
    assert not cancellation.requested.is_set()
    cancellation.request()
    assert told == ["former"]


def test_engine_without_a_database_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="HEADRACE_DATABASE_URL is not set"):
        _ = ProcessContext(Settings(home=tmp_path, database_url=None)).engine
