"""Runs that begin where another one failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_core.errors import RunSucceeded
from platform_core.runs.run_store import accept_run, get_run, retry_of
from tests.code_folder import code_folder
from tests.integration.definitions.documents import document, python, transform
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
    with code_folder() as folder:
        yield folder / "there"


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
    first = site.execute(document("again", transform("before", 5), flaky(file, after=["before"])))
    file.touch()
    second = retry(site, first, "start")
    assert site.run(second).status == "SUCCESS"
    assert [node for _, node in site.story(second, "node.started")] == ["before", "flaky"]
    with pytest.raises(RunSucceeded), site.engine.begin() as connection:
        retry_of(connection, get_run(connection, second), "failure")


SOME_LATE = """
import os, time
def main(file: str, item: int):
    if item >= 2 and not os.path.exists(file):
        time.sleep(600)
    return item * 10
"""
LATE: dict[str, Any] = {"settings": {"timeout": "5s"}}


def late(file: Path, **keys: Any) -> dict[str, Any]:
    """A loop over six items of which the first two end, the next two begin, and the others never begin."""
    config = {"code": SOME_LATE, "args": {"file": str(file)}}
    return {"id": "each", "type": "python", "config": config, "foreach": list(range(6)), "max_parallel": 2, **keys}


def items_of(site: Site, run_id: str, node: str = "each") -> list[int]:
    """The items of the node that the run executed."""
    events = site.events(run_id)
    return sorted(
        event.item
        for event in events
        if event.node == node and event.type == "node.succeeded" and event.item is not None
    )


def test_items_that_never_began_are_executed_by_the_retry(site: Site, file: Path) -> None:
    graph = document("late", late(file), outputs={"all": "{{ nodes.each.result }}"}, **LATE)
    first = site.execute(graph)
    assert (site.run(first).error or {})["kind"] == "run_timeout"
    assert items_of(site, first) == [0, 1]
    file.touch()
    second = retry(site, first)
    assert (site.run(second).error, site.run(second).outputs) == (None, {"all": [0, 10, 20, 30, 40, 50]})
    assert items_of(site, second) == [2, 3, 4, 5]


def test_retry_of_a_retry_that_was_cut_short_has_every_item(site: Site, file: Path) -> None:
    graph = document("late-twice", late(file), outputs={"all": "{{ nodes.each.result }}"}, **LATE)
    first = site.execute(graph)
    second = retry(site, first)
    assert ((site.run(second).error or {})["kind"], items_of(site, second)) == ("run_timeout", [])
    file.touch()
    third = retry(site, second)
    assert (site.run(third).error, site.run(third).outputs) == (None, {"all": [0, 10, 20, 30, 40, 50]})
    assert items_of(site, third) == [2, 3, 4, 5]


def test_loop_over_the_list_of_a_loop_has_every_item(site: Site, file: Path) -> None:
    second_loop = transform("next", "{{ item + 1 }}", foreach="{{ inputs.x }}")
    graph = document(
        "two-loops",
        late(file),
        second_loop,
        edges=("each.result -> next.x",),
        outputs={"all": "{{ nodes.next.value }}"},
        **LATE,
    )
    first = site.execute(graph)
    file.touch()
    second = retry(site, first)
    assert (site.run(second).error, site.run(second).outputs) == (None, {"all": [1, 11, 21, 31, 41, 51]})
    assert items_of(site, second) == [2, 3, 4, 5]


def test_loop_over_a_called_graph_has_every_item(site: Site, file: Path) -> None:
    one = python("one", SOME_LATE, {"file": str(file), "item": "{{ params.item }}"})
    number = {"type": "object", "properties": {"item": {"type": "integer"}}}
    site.save_graph(document("one-item", one, params=number, outputs={"v": "{{ nodes.one.result }}"}))
    call = {"graph": "one-item", "params": {"item": "{{ item }}"}}
    each = {"id": "each", "type": "graph", "config": call, "foreach": list(range(6)), "max_parallel": 2}
    first = site.execute(document("calls", each, outputs={"all": "{{ nodes.each.v }}"}, **LATE))
    assert items_of(site, first) == [0, 1]
    file.touch()
    second = retry(site, first)
    assert (site.run(second).error, site.run(second).outputs) == (None, {"all": [0, 10, 20, 30, 40, 50]})
    assert items_of(site, second) == [2, 3, 4, 5]


def test_loop_within_a_called_graph_has_every_item(site: Site, file: Path) -> None:
    site.save_graph(document("inner-loop", late(file), outputs={"all": "{{ nodes.each.result }}"}))
    call = {"id": "it", "type": "graph", "config": {"graph": "inner-loop"}}
    first = site.execute(document("outer", call, outputs={"all": "{{ nodes.it.all }}"}, **LATE))
    assert items_of(site, first, "it/each") == [0, 1]
    file.touch()
    second = retry(site, first)
    assert (site.run(second).error, site.run(second).outputs) == (None, {"all": [0, 10, 20, 30, 40, 50]})
    assert items_of(site, second, "it/each") == [2, 3, 4, 5]


@pytest.mark.parametrize("keys", [{"on_item_error": "collect"}, {"on_error": "continue"}, {"on_error": "route"}])
def test_items_that_the_runs_end_stopped_are_no_results(site: Site, file: Path, keys: dict[str, Any]) -> None:
    errors = {"errors": "{{ nodes.each.errors }}"} if "on_item_error" in keys else {}
    graph = document("stopped", late(file, **keys), outputs={"all": "{{ nodes.each.result }}", **errors}, **LATE)
    first = site.execute(graph)
    assert (site.run(first).error or {})["kind"] == "run_timeout"
    file.touch()
    second = retry(site, first)
    expected = {"all": [0, 10, 20, 30, 40, 50], **({"errors": []} if errors else {})}
    assert (site.run(second).error, site.run(second).outputs) == (None, expected)
    assert items_of(site, second) == [2, 3, 4, 5]


def test_error_that_a_document_itself_calls_canceled_is_an_error_as_any_other(site: Site) -> None:
    each = {"id": "each", "type": "fail", "config": {"kind": "canceled", "message": "{{ item }}"}}
    keys = {"foreach": ["a", "b"], "on_item_error": "collect"}
    run_id = site.execute(document("own-kind", each | keys, outputs={"errors": "{{ nodes.each.errors }}"}))
    errors = [
        {"kind": "canceled", "message": text, "attempts": 1, "item": index, "value": text, "node": "each"}
        for index, text in enumerate("ab")
    ]
    assert (site.run(run_id).error, site.run(run_id).outputs) == (None, {"errors": errors})
