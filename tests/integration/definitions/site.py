"""A home with a database of its own, and what tests do with it: save graphs, accept runs, execute and read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dagster import DagsterInstance

from definitions.daemon.submission import Submission
from definitions.execution.context import process_context
from definitions.execution.current_run import CurrentRun
from definitions.execution.engine_run import EngineRuns
from definitions.execution.graph_jobs import pinned_job
from definitions.instance import instance_files
from definitions.instance.event_storage import PooledEventStorage, event_storage_of
from graph_compiler.checking.validation import check
from graph_compiler.language.schedule_trigger import ScheduleTrigger
from platform_core.database.engine import build_engine
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.graphs.graph_library import OwnedGraphs
from platform_core.graphs.graph_store import Graph, save_graph
from platform_core.identity.user_store import create_user
from platform_core.runs.queue_store import read_load
from platform_core.runs.run_event_store import RunEvent, read_events
from platform_core.runs.run_store import NewRun, Run, accept_run, get_run, request_cancel
from platform_core.settings import Settings
from platform_core.triggers.timer_store import NewTimer, sync_timers
from platform_core.triggers.trigger_store import NewTrigger, sync_triggers
from tests.called_graphs import shelf
from tests.waiting import wait_until

Document = Mapping[str, Any]


class Site:
    """One installation's state, used from the test's process; `services.py` adds its processes."""

    def __init__(self, settings: Settings, instance: DagsterInstance) -> None:
        assert settings.database_url is not None
        self.settings = settings
        self.instance = instance
        self.engine = build_engine(settings.database_url)
        self.current = CurrentRun("")
        """The run that was executed last in the test's process, or is now."""

    @cached_property
    def owner_id(self) -> str:
        with self.engine.begin() as connection:
            return create_user(connection, "ada", "correct horse", "editor").id

    @cached_property
    def engine_runs(self) -> EngineRuns:
        return EngineRuns(process_context(), self.instance)

    @property
    def storage(self) -> PooledEventStorage:
        return event_storage_of(self.instance)

    @property
    def submission(self) -> Submission:
        return Submission(self.settings, self.engine, self.instance)

    def save_graph(self, document: Document) -> Graph:
        checked = check(json.dumps(document), library=OwnedGraphs(self.engine.connect, self.owner_id))
        assert checked.document is not None, checked.issues
        assert checked.sha256 is not None
        with self.engine.begin() as connection:
            graph, _ = save_graph(
                connection,
                owner_id=self.owner_id,
                name=document["name"],
                document=checked.document,
                sha256=checked.sha256,
                created_by=self.owner_id,
            )
            declared = checked.spec.triggers if checked.spec is not None else []
            sync_triggers(
                connection, graph.id, [NewTrigger(t.id, t.type, t.model_dump(mode="json"), t.enabled) for t in declared]
            )
            timers = [t for t in declared if isinstance(t, ScheduleTrigger)]
            sync_timers(connection, graph.id, [NewTimer(t.id, t.timing(), t.is_plain_cron) for t in timers])
        return graph

    def save_called(self) -> None:
        """Save what documents of tests/graphs call."""
        for called in shelf():
            self.save_graph(json.loads(called))

    def accept(self, graph: Graph, params: Document | None = None, **options: Any) -> str:
        """Accept a run of the graph's version as the APIs do; its id."""
        new = NewRun(graph.id, graph.version, self.owner_id, params or {}, TriggerKind.MANUAL, **options)
        with self.engine.begin() as connection:
            return accept_run(connection, new)[0].run_id

    def launch(self, document: Document, params: Document | None = None, **options: Any) -> str:
        """Save the graph, accept a run of it and hand it to the run launcher as the queue does; its id."""
        run_id = self.accept(self.save_graph(document), params, **options)
        self.start(run_id)
        return run_id

    def start(self, *run_ids: str) -> int:
        """What the queue does with runs whose turn it is; how many began."""
        return self.submission.start(run_ids)

    def cancel_requested(self) -> None:
        """What the queue does with runs that are to be canceled."""
        with self.engine.begin() as connection:
            load = read_load(connection)
        self.submission.cancel(load.to_cancel)

    def execute(self, document: Document, params: Document | None = None) -> str:
        """Execute a run of the graph in this process and return its id."""
        run_id = self.launch(document, params)
        self.execute_launched(run_id)
        return run_id

    def execute_launched(self, run_id: str) -> None:
        self.current = CurrentRun(run_id)
        self.engine_runs.execute(self.current)

    def cancel(self, run_id: str) -> None:
        with self.engine.begin() as connection:
            request_cancel(connection, run_id)

    def run(self, run_id: str) -> Run:
        with self.engine.begin() as connection:
            return get_run(connection, run_id)

    def events(self, run_id: str) -> list[RunEvent]:
        """All events of the run, which are counted from 1 without a gap."""
        with self.engine.begin() as connection:
            events = read_events(connection, run_id, 0, 100_000)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        return events

    def story(self, run_id: str, *types: str) -> list[tuple[str, str | None]]:
        """Type and node of the run's events, only of these types if any are given."""
        return [(event.type, event.node) for event in self.events(run_id) if not types or event.type in types]

    def wait_for_status(self, run_id: str, *statuses: str, deadline: float = 30.0) -> Run:
        def has_it() -> bool:
            return self.run(run_id).status in statuses

        wait_until(has_it, f"run {run_id} is {' or '.join(statuses)}", deadline)
        return self.run(run_id)

    def wait_for_event(self, run_id: str, type: str, node: str | None = None, deadline: float = 30.0) -> None:
        wait_until(lambda: (type, node) in self.story(run_id), f"{type} of {node} in run {run_id}", deadline)

    def dagster_status(self, run_id: str) -> str | None:
        """Dagster's status of the run in our words, None if it does not know the run."""
        run = self.instance.get_run_by_id(run_id)
        if run is None:
            return None
        return {"NOT_STARTED": "QUEUED", "STARTED": "RUNNING", "SUSPENDED": "WAITING"}.get(
            run.status.value, run.status.value
        )

    def workers_of(self, run_id: str) -> list[int]:
        """Process ids of all workers that began to execute the run, by Dagster's log."""
        prefix = "Started process for run (pid: "
        messages = [entry.message for entry in self.instance.all_logs(run_id)]
        return [int(text.removeprefix(prefix).rstrip(").")) for text in messages if text.startswith(prefix)]

    def fetch(self, query: str, **parameters: Any) -> list[Any]:
        """Rows of a query."""
        with self.engine.begin() as connection:
            return list(connection.execute(sa.text(query), parameters))


@contextmanager
def new_site(home: Path, database_url: str, **environment: str) -> Iterator[Site]:
    """A site in `home`; `environment` holds further settings by their names (`HEADRACE_IDLE_WORKERS=1`)."""
    with pytest.MonkeyPatch.context() as patch:
        variables = {"HEADRACE_HOME": str(home), "HEADRACE_DATABASE_URL": database_url}
        # Most tests mean a run that has a worker by one that has a long delay.
        variables |= {"HEADRACE_SUSPEND_OVER": "3600", **environment}
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setenv("DAGSTER_HOME", str(instance_files.write(Settings())))
        _forget_process()
        try:
            with DagsterInstance.get() as instance:
                site = Site(Settings(), instance)
                yield site
                site.engine.dispose()
                if "engine_runs" in vars(site):
                    site.engine_runs.close()
                site.storage.dispose_connections()
        finally:
            _forget_process()


def _forget_process() -> None:
    """Close and clear what `definitions` keeps once per process."""
    if process_context.cache_info().currsize:
        context = process_context()
        if "engine" in vars(context):
            context.engine.dispose()
        if "interpreter" in vars(context):
            context.interpreter.close()
        if "http" in vars(context):
            context.http.close()
    process_context.cache_clear()
    pinned_job.cache_clear()
