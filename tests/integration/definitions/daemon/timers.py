"""Graphs with timers, a clock that tests set, and what became of the timers' times."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from definitions.daemon.timer_firing import TimerFiring
from platform_core.facts.run_error import RunError
from platform_core.facts.run_status import RunStatus
from platform_core.graphs.graph_store import Graph
from platform_core.runs.run_ending import end_unsubmitted
from platform_core.triggers.tick_store import Tick, list_ticks
from tests.integration.definitions.documents import document, transform
from tests.integration.definitions.site import Site

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
_numbers = itertools.count()


class TestClock:
    """Reads what it was set to."""

    __test__ = False

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def schedule(id: str = "tick", **parts: Any) -> dict[str, Any]:
    """A timer of a document, each minute unless `parts` say when."""
    timing = {} if {"cron", "every", "at", "rrule"} & parts.keys() else {"cron": "* * * * *"}
    return {"id": id, "type": "schedule", **timing, **parts}


class Timed:
    """A saved graph with one timer that begins at the clock's time, and those who fire it."""

    def __init__(self, site: Site, clock: TestClock, **trigger: Any) -> None:
        self.site = site
        self.clock = clock
        self.name = f"timed-{next(_numbers)}"
        self.graph = self.save(**trigger)
        self.begin(clock.now)
        self.firing = TimerFiring(site.engine, clock)

    def save(self, **trigger: Any) -> Graph:
        params = {"type": "object", "properties": {"at": {"type": "string"}}}
        spoken = document(self.name, transform("say", "{{ params }}"), params=params, triggers=[schedule(**trigger)])
        self.graph = self.site.save_graph(spoken)
        return self.graph

    def begin(self, moment: datetime) -> None:
        """Set from when the timer decides: the database has a clock of its own."""
        self.execute("UPDATE headrace.timers SET decided_until = :moment WHERE trigger = :trigger", moment=moment)

    def fire(self) -> None:
        self.firing.fire_due()

    @property
    def trigger(self) -> str:
        query = "SELECT id FROM headrace.triggers WHERE graph_id = :graph"
        return str(self.site.fetch(query, graph=self.graph.id)[0][0])

    def ticks(self) -> list[Tick]:
        """The ticks in the order of their times."""
        with self.site.engine.begin() as connection:
            return list_ticks(connection, self.trigger, limit=10_000).items[::-1]

    def story(self) -> list[tuple[str, str]]:
        """Time and status of each tick; a row of missed times names its first."""
        return [(f"{tick.scheduled_at.astimezone(UTC):%H:%M:%S}", tick.status) for tick in self.ticks()]

    def fired(self) -> list[str]:
        return [time for time, status in self.story() if status == "fired"]

    def run_count(self) -> int:
        query = "SELECT count(*) FROM headrace.runs WHERE graph_id = :graph"
        return int(self.site.fetch(query, graph=self.graph.id)[0][0])

    def end_runs(self) -> None:
        """Cancel the graph's runs, which Dagster does not know."""
        query = "SELECT run_id FROM headrace.runs WHERE graph_id = :graph AND ended_at IS NULL"
        error = RunError("canceled", "The test ended it.")
        for (run_id,) in self.site.fetch(query, graph=self.graph.id):
            with self.site.engine.begin() as connection:
                assert end_unsubmitted(connection, run_id, RunStatus.CANCELED, error)

    def execute(self, statement: str, **values: Any) -> None:
        given = {"trigger": self.trigger, **values}
        with self.site.engine.begin() as connection:
            connection.execute(sa.text(statement), {k: v for k, v in given.items() if f":{k}" in statement})


NewTimed = Callable[..., Timed]


def fire_until(timed: Timed, end: datetime, step: timedelta) -> None:
    """Look at the timers every `step` of the clock until `end`."""
    while timed.clock.now < end:
        timed.clock.now += step
        timed.fire()
