"""The statement that commits a batch, sent again and by several connections."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from dagster._core.events.log import EventLogEntry

from definitions.instance.event_statement import NewValue, Record, build
from definitions.instance.run_events import NewEvent, StatusChange
from platform_core.facts.run_status import RunStatus
from tests.integration.definitions.documents import versioned
from tests.integration.definitions.site import Site
from tests.waiting import wait_until

Send = Callable[..., None]


@pytest.fixture(scope="module")
def send(site: Site) -> Send:
    """Sends records of a run under a token, as one statement that commits by itself."""

    def send(run_id: str, batch: str, *records: Record, change: StatusChange | None = None) -> None:
        statement, parameters = build(run_id, batch, records, change, 1_700_000_000.5)
        with site.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement, parameters)

    return send


@pytest.fixture
def run_id(site: Site) -> str:
    return site.accept(site.save_graph(versioned("batches", 1)))


def test_batch_commits_log_event_value_and_outputs_in_order(site: Site, send: Send, run_id: str) -> None:
    send(
        run_id,
        "a",
        Record(log=log_row(site, run_id, "first"), event=NewEvent(1.5, "log", "first", "node", 3, "warning", {"n": 1})),
        Record(value=NewValue("node", "value", "[1]"), event=NewEvent(2.5, "node.output", "second", "node")),
        Record(log=log_row(site, run_id, "third")),
        Record(outputs='{"a":1}'),
    )
    assert logged(site, run_id) == ["first", "third"]
    assert [(e.seq, e.ts.timestamp(), e.type, e.node, e.item, e.level, e.message, e.data) for e in site.events(run_id)][
        1:
    ] == [
        (2, 1.5, "log", "node", 3, "warning", "first", {"n": 1}),
        (3, 2.5, "node.output", "node", None, "info", "second", {}),
    ]
    assert site.storage.read_value(run_id, "node", "value").text == "[1]"
    assert site.run(run_id).outputs == {"a": 1}


@pytest.mark.parametrize(
    "text", ["", "NULL", '{"a":[1,"b\\\\"]}', "a,b", "{}", "\\", '"', " \t\n", "'", "\N{SNOWMAN}\U0001f40e"]
)
def test_texts_that_an_array_has_to_quote_come_back_as_they_were(
    site: Site, send: Send, run_id: str, text: str
) -> None:
    send(
        run_id,
        "a",
        Record(event=NewEvent(1.0, "log", text, text, None, "info", {"text": text})),
        Record(event=NewEvent(1.0, "log", text, None, 70_000, "info", {text: None})),
        Record(log=log_row(site, run_id, text), value=NewValue(text, "value", text, None)),
        Record(value=NewValue(text, "spilled", None, text)),
    )
    assert logged(site, run_id) == [text]
    assert [(event.message, event.node, event.item, event.data) for event in site.events(run_id)][1:] == [
        (text, text, None, {"text": text}),
        (text, None, 70_000, {text: None}),
    ]
    assert site.storage.read_value(run_id, text, "value") == NewValue(text, "value", text, None)
    assert site.storage.read_value(run_id, text, "spilled") == NewValue(text, "spilled", None, text)


def test_batch_sent_twice_is_written_once(site: Site, send: Send, run_id: str) -> None:
    record = Record(log=log_row(site, run_id, "once"), event=NewEvent(1.0, "log", "once", "node"))
    send(run_id, "token", record)
    send(run_id, "token", record)
    assert logged(site, run_id) == ["once"]
    assert site.story(run_id) == [("run.queued", None), ("log", "node")]


def test_batch_sent_again_after_another_writers_batch_is_written_once(site: Site, send: Send, run_id: str) -> None:
    record = Record(log=log_row(site, run_id, "worker"), event=NewEvent(1.0, "log", "worker", "node"))
    send(run_id, "token of the worker", record)
    send(run_id, "token of the daemon", Record(log=log_row(site, run_id, "daemon")))
    send(run_id, "token of the worker", record)
    assert logged(site, run_id) == ["worker", "daemon"]
    assert site.story(run_id) == [("run.queued", None), ("log", "node")]


def test_batch_sent_again_while_the_first_still_waits_is_written_once(site: Site, send: Send, run_id: str) -> None:
    record = Record(log=log_row(site, run_id, "once"), event=NewEvent(1.0, "log", "once", "node"))
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with ThreadPoolExecutor(2) as pool:
        with site.engine.begin() as blocker:
            blocker.exec_driver_sql("SELECT 1 FROM headrace.runs WHERE run_id = %s FOR UPDATE", (run_id,))
            sent = [pool.submit(send, run_id, "token", record) for _ in range(2)]
            wait_until(lambda: len(site.fetch(waiting)) == 2, "both statements wait for the run's row")
        for done in sent:
            done.result()
    assert logged(site, run_id) == ["once"]
    assert site.story(run_id) == [("run.queued", None), ("log", "node")]


def test_later_value_of_a_port_replaces_the_earlier(site: Site, send: Send, run_id: str) -> None:
    send(run_id, "a", Record(value=NewValue("n", "p", "1")), Record(value=NewValue("n", "p", "2")))
    send(run_id, "b", Record(value=NewValue("n", "p", "3")))
    assert site.fetch("SELECT value FROM headrace.run_values WHERE run_id = :run", run=run_id) == [("3",)]


def test_nothing_is_written_to_an_ended_run_but_dagsters_log(site: Site, send: Send, run_id: str) -> None:
    end = StatusChange(RunStatus.FAILURE, is_end=True, error={"kind": "k", "message": "m", "node": None})
    send(run_id, "a", Record(event=NewEvent(1.0, "run.failed", "m")), change=end)
    before = site.run(run_id)
    send(
        run_id,
        "b",
        Record(log=log_row(site, run_id, "late"), event=NewEvent(2.0, "log", "late", "n")),
        Record(value=NewValue("n", "p", "1")),
        Record(outputs="{}"),
        change=StatusChange(RunStatus.SUCCESS, is_end=True),
    )
    assert site.run(run_id) == before
    assert site.story(run_id) == [("run.queued", None), ("run.failed", None)]
    assert site.fetch("SELECT 1 FROM headrace.run_values WHERE run_id = :run", run=run_id) == []
    assert logged(site, run_id) == ["late"]


def test_canceling_run_stays_so_until_it_ends(site: Site, send: Send, run_id: str) -> None:
    send(run_id, "a", Record(), change=StatusChange(RunStatus.CANCELING))
    send(run_id, "b", Record(), change=StatusChange(RunStatus.RUNNING, is_start=True))
    assert site.run(run_id).status == "CANCELING"


def test_log_of_a_foreign_run_is_written(site: Site, send: Send) -> None:
    send("foreign", "a", Record(log=log_row(site, "foreign", "hello"), event=NewEvent(1.0, "log", "hello", "n")))
    assert logged(site, "foreign") == ["hello"]
    assert site.events("foreign") == []


def log_row(site: Site, run_id: str, message: str) -> dict[str, object]:
    """A row of Dagster's event log."""
    entry = EventLogEntry(
        error_info=None, level=20, user_message=message, run_id=run_id, timestamp=time.time(), step_key=None
    )
    return site.storage._event_to_row(entry)


def logged(site: Site, run_id: str) -> list[str]:
    """Messages in Dagster's event log."""
    rows = site.fetch("SELECT event FROM event_logs WHERE run_id = :run ORDER BY id", run=run_id)
    return [json.loads(row.event)["user_message"] for row in rows]
