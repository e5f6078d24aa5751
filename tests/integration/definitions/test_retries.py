"""Runs that begin where another one failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from platform_core.errors import RunSucceeded
from platform_core.runs.run_store import accept_run, get_run, retry_of
from tests.integration.definitions.documents import document, transform
from tests.integration.definitions.site import Site

WORKS_IF_THERE = """
import os
def main(file: str, item: int = 1):
    if item == 1 and not os.path.exists(file):
        raise ValueError("not there")
    return item * 10
"""


@pytest.fixture
def file() -> Iterator[Path]:
    """A file that is not there yet, where the users that code runs as may look."""
    with TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "there"


def retry(site: Site, run_id: str, start: str = "failure") -> str:
    """Accept and execute a retry; its id."""
    with site.engine.begin() as connection:
        new, _ = accept_run(connection, retry_of(connection, get_run(connection, run_id), start))
    site.start(new.run_id)
    site.execute_launched(new.run_id)
    return new.run_id


def flaky(file: Path, **keys: Any) -> dict[str, Any]:
    config = {"code": WORKS_IF_THERE, "args": {"file": str(file)}}
    return {"id": "flaky", "type": "python", "config": config, **keys}


def test_what_succeeded_is_not_executed_again_and_its_values_are_taken(site: Site, file: Path) -> None:
    graph = document(
        "retried",
        transform("before", 5),
        transform("skipped", 1, when=False),
        flaky(file, after=["before"]),
        {"id": "one", "type": "merge", "config": {"mode": "object"}},
        transform("last", "{{ run.status }}", **{"finally": True}),
        edges=("before.value -> one.before", "flaky.result -> one.flaky", "skipped.value -> one.skipped"),
        outputs={"one": "{{ nodes.one.value }}", "skipped": "{{ nodes.skipped.value | default(none) }}"},
    )
    first = site.execute(graph)
    assert site.run(first).status == "FAILURE"
    file.touch()
    second = retry(site, first)
    run = site.run(second)
    assert (run.error, run.status, run.parent_run_id) == (None, "SUCCESS", first)
    assert run.outputs == {"one": {"before": 5, "flaky": 10}, "skipped": None}
    assert [node for _, node in site.story(second, "node.started")] == ["flaky", "one", "last"]


def test_only_failed_items_are_executed_again(site: Site, file: Path) -> None:
    items = flaky(file, foreach=[0, 1, 2])
    first = site.execute(document("items", items, outputs={"all": "{{ nodes.flaky.result }}"}))
    assert site.run(first).status == "FAILURE"
    file.touch()
    second = retry(site, first)
    assert (site.run(second).error, site.run(second).outputs) == (None, {"all": [0, 10, 20]})
    ended = [event.item for event in site.events(second) if event.type == "node.succeeded"]
    assert ended == [1, None]


def test_from_the_start_everything_is_executed_again(site: Site, file: Path) -> None:
    first = site.execute(document("anew", transform("before", 5), flaky(file, after=["before"])))
    file.touch()
    second = retry(site, first, "start")
    assert site.run(second).status == "SUCCESS"
    assert [node for _, node in site.story(second, "node.started")] == ["before", "flaky"]
    with pytest.raises(RunSucceeded), site.engine.begin() as connection:
        retry_of(connection, get_run(connection, second), "failure")
