"""The journal in PostgreSQL keeps the contract that the engine's own tests hold the one in memory to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from definitions.journal.connection import JournalConnection
from definitions.journal.dagster_rows import DagsterRows
from definitions.journal.known_state import KnownStates
from definitions.journal.projection import Projection
from definitions.journal.run_journal import RunJournal
from definitions.services.spilled_values import SpilledValues
from graph_engine.given.limits import Limits
from graph_engine.journal import records
from graph_engine.testing.contract import compared, differences
from platform_core.runs.wait_store import give_answer, wait_of_node
from tests.integration.definitions.documents import versioned
from tests.integration.definitions.site import Site
from tests.unit.graph_engine.documents import Library, shelves
from tests.unit.graph_engine.execution import Execution, execution
from tests.unit.graph_engine.graphs import call, called, graph, last, node

SUSPENDING = Limits(suspend_over=5.0)


class Stored:
    """The journal of a new run of the site, and who reads it."""

    def __init__(self, site: Site, connection: JournalConnection, told: Execution) -> None:
        self.run_id = site.launch(versioned("journaled", 1))
        spilled = SpilledValues(str(site.settings.home / "values"))
        self.journal = RunJournal(
            self.run_id, 0, Projection(DagsterRows(self.run_id, "journaled")), connection, spilled
        )
        self._states = KnownStates(connection, spilled)
        self._plan = told.index.plan

    def known(self) -> Any:
        return self._states.of(self.run_id, self._plan)


@pytest.fixture(scope="module")
def connection(site: Site) -> Iterator[JournalConnection]:
    assert site.settings.database_url is not None
    connection = JournalConnection(site.settings.database_url)
    yield connection
    connection.close()


def eventful() -> Execution:
    """A run in which everything happens."""
    retry = {"max_attempts": 2, "delay": 0}
    failing = {"type": "fail", "config": {"message": "no \x00", "retryable": True}}
    library = called(
        node("a"), {"id": "f", **failing, "after": ["a"]}, last("sweep", 1), outputs={"a": "{{ nodes.a.value }}"}
    )
    document = graph(
        call("c", retry=retry, on_error="route"),
        call("each", foreach=[1, 2], retry=retry, on_item_error="collect", on_error="continue"),
        node("items", foreach=[1, 0], on_item_error="collect", config={"value": "{{ 1 // item }}"}),
        node("config", config={"value": "x" * 70_000}),
        node("off", when=False),
        node("skipped", after=["off"]),
        node(
            "again", config={"value": "{{ [iteration] * 70000 }}"}, repeat={"until": "{{ iteration == 3 }}", "delay": 0}
        ),
        call("calls", repeat={"until": "{{ false }}", "max": 2, "delay": 0}, retry=retry, on_error="continue"),
        node("poll", repeat={"until": "{{ iteration == 9 }}", "delay": "1h"}),
        node("quick", "wait", config={"event": {}, "timeout": 1}),
        node("paid", "wait", config={"event": {}, "timeout": "1h"}),
        node("told", config={"value": "{{ inputs.at }}"}),
        node("ask", "approval", config={"message": "Go on?"}),
        node("nap", "delay", config={"duration": "1h"}),
        edges=("paid.address -> told.at",),
        outputs={"items": "{{ nodes.items.value }}"},
    )
    return execution(document, library=library, limits=SUSPENDING).run()


def test_journal_proves_after_each_commit_what_was_told(site: Site, connection: JournalConnection) -> None:
    run = eventful()
    stored = Stored(site, connection, run)
    assert differences(run.journal.durable, stored.journal, stored.known) == []
    assert site.run(stored.run_id).status == "WAITING"


def test_run_that_is_answered_while_it_falls_asleep_is_due_at_once(site: Site, connection: JournalConnection) -> None:
    for is_answered in (False, True):
        run = execution(graph(node("ask", "approval", config={"message": "Go on?"})), limits=SUSPENDING).run()
        stored = Stored(site, connection, run)
        stored.journal.attach(lambda: None)
        *before, suspended = run.journal.durable
        for record in before:
            stored.journal.append(record)
        stored.journal.commit()
        with site.engine.begin() as database:
            if is_answered:
                database.execute(sa.text("UPDATE headrace.waits SET until = now() + interval '1 hour'"))
                give_answer(database, wait_of_node(database, stored.run_id, "ask"), {}, by="ida", approves=True)
        assert isinstance(suspended, records.RunSuspended)
        stored.journal.append(suspended._replace(until=time.time() + 3600))
        stored.journal.commit()
        wake_at = site.run(stored.run_id).wake_at
        assert wake_at is not None
        assert (wake_at.timestamp() <= time.time()) is is_answered


def test_only_the_last_outputs_of_a_repeat_are_kept(site: Site, connection: JournalConnection) -> None:
    repeat = {"until": "{{ iteration == 8 }}", "delay": 0}
    run = execution(graph(node("again", config={"value": "{{ [iteration] * 70000 }}"}, repeat=repeat))).run()
    stored = Stored(site, connection, run)
    stored.journal.attach(lambda: None)
    for record in run.journal.durable[:-1]:
        stored.journal.append(record)
        stored.journal.commit()
    assert len(list((site.settings.home / "values" / stored.run_id).iterdir())) == 3
    assert connection.rows("SELECT count(*) FROM headrace.run_values WHERE run_id = %s", (stored.run_id,)) == [(3,)]
    assert stored.known().steps["again", None].outputs == {"value": [8] * 70_000}


def test_journal_proves_how_a_run_that_is_stopped_will_end(site: Site, connection: JournalConnection) -> None:
    document = graph(node("a"), node("b", "delay", config={"duration": "1h"}), outputs={"a": "{{ 1 // 0 }}"})
    run = execution(document).stopped_at(lambda record: isinstance(record, records.Began))
    stored = Stored(site, connection, run)
    assert differences(run.journal.durable, stored.journal, stored.known) == []
    assert site.run(stored.run_id).status == "CANCELED"


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(shelves())
def test_journal_proves_any_run(
    site: Site, connection: JournalConnection, shelf: tuple[dict[str, Any], Library]
) -> None:
    document, library = shelf
    run = execution(document, library=library, limits=SUSPENDING).run()
    told = run.journal.durable
    stored = Stored(site, connection, run)
    stored.journal.attach(lambda: None)
    for record in told:
        stored.journal.append(record)
    stored.journal.commit()
    assert compared(stored.known(), run.journal.known()) == []
