"""A run executes the version it was created with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import installed
from tests.e2e.documents import sleeper
from tests.e2e.installation import Installation
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Executes one run at a time, so that a second one stays queued."""
    with installed({"HEADRACE_MAX_CONCURRENT_RUNS": "1"}) as installation:
        yield installation


def test_run_queued_before_a_newer_version_was_saved_executes_the_older_one(installation: Installation) -> None:
    installation.apply(sleeper(1))
    first = installation.launch("sleeper", seconds=600)
    wait_until(lambda: installation.status(first) == "RUNNING", "the first run occupies the only place", 30)
    queued = installation.launch("sleeper", seconds=0)
    assert installation.apply(sleeper(2))["version"] == 2
    assert installation.status(queued) == "QUEUED"
    installation.succeed("cancel", first)
    installation.succeed("logs", queued, "--follow")
    assert installation.get(f"runs/{queued}")["version"] == 1
    assert installation.get(f"runs/{queued}/outputs")["outputs"] == {"version": 1}


def test_named_version_is_executed_though_it_is_not_current(installation: Installation) -> None:
    installation.apply(sleeper(1))
    installation.apply(sleeper(2))
    output = installation.succeed("run", "sleeper", "-p", "seconds=0", "--version", "1", "--wait", "60")
    assert output == '{"version": 1}\n'
