"""Executes a run by the engine: one read, a pass over the plan, a few commits.

The run stays a Dagster run of the compiled job. A selection of its steps, as Dagster's UI offers one, is refused.

Internals used: the tag by which Dagster's UI asks for a retry from failure.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster import DagsterInstance
from dagster._core.storage.tags import RESUME_RETRY_TAG

from definitions.execution.context import ProcessContext
from definitions.execution.current_run import CurrentRun
from definitions.execution.plans import Plans
from definitions.execution.resources import RunRuntime
from definitions.execution.system_clock import SystemClock
from definitions.instance.run_events import NewEvent
from definitions.instance.run_loss import failure_data
from definitions.journal.connection import JournalConnection
from definitions.journal.dagster_rows import DagsterRows
from definitions.journal.known_state import KnownStates
from definitions.journal.projection import ENGINE_NOTE, Projection
from definitions.journal.run_journal import RunJournal
from graph_compiler.jobs.tags import MAX_NODES_TAG, TIMEOUT_TAG
from graph_engine.engine import Engine
from graph_engine.given.limits import Limits
from graph_engine.journal import records
from graph_engine.journal.journal import JournalLost
from graph_engine.journal.known import Known
from graph_engine.journal.outcome import Outcome, Suspended
from graph_engine.scope.index import PlanIndex
from platform_core.ending_times import STUCK, EndingTimes
from platform_core.runs.execution_store import DAGSTERS_UI, Execution

_READ = """
SELECT r.run_id, r.graph_id::text, g.name AS graph, r.version, r.owner_id::text, u.name AS owner, r.params, r.tags,
       r.priority, r.trigger_kind, r.trigger_id, r.trigger_data, r.parent_run_id, r.retry_from, r.generation,
       r.cancel_requested_at IS NOT NULL AS is_canceled, d.status, d.run_body
FROM headrace.runs r
JOIN headrace.graphs g ON g.id = r.graph_id
JOIN headrace.users u ON u.id = r.owner_id
JOIN public.runs d ON d.run_id = r.run_id
WHERE r.run_id = %s
"""
_DOCUMENT = "SELECT document FROM headrace.graph_versions WHERE graph_id = %s AND version = %s"
_IS_JOURNALED = "SELECT note FROM headrace.run_events WHERE run_id = %s AND type = 'run.started'"
_SAME_VERSION = "SELECT FROM headrace.runs WHERE run_id = %s AND graph_id = %s AND version = %s"
_TAKE_OVER = """
UPDATE headrace.runs SET generation = greatest(generation + 1, losses + wakes)
WHERE run_id = %s AND ended_at IS NULL RETURNING generation
"""
_BEGUN = ("STARTED", "SUSPENDED", "CANCELING")
SELECTION = "steps_selected"
_SELECTION_REFUSED = (
    "A run executes its graph whole, and this one was started for a selection of its steps. "
    "Retry a failed run from its failure, or try one node with `headrace try`."
)
_logger = logging.getLogger("headrace.run")


@dataclass(frozen=True)
class _Found:
    """A run as it is stored."""

    execution: Execution
    generation: int
    status: str
    """Dagster's."""
    is_canceled: bool
    body: Mapping[str, Any]

    @property
    def tags(self) -> Mapping[str, str]:
        """Dagster's, those of the job among them."""
        tags: Mapping[str, str] = self.body["tags"]
        return tags


@dataclass
class EngineRuns:
    """Executes runs one after the other; keeps a connection and plans for the next."""

    process: ProcessContext
    instance: DagsterInstance
    has_stuck_threads: bool = False
    """Whether a node of a run was left behind: the process is not to execute another."""
    _connection: JournalConnection = field(init=False)
    _plans: Plans = field(init=False)
    _states: KnownStates = field(init=False)
    _clock: SystemClock = field(default_factory=SystemClock)
    _journal: RunJournal | None = None
    """Of the run that is executed now."""

    def __post_init__(self) -> None:
        url = self.process.settings.database_url
        assert url is not None
        self._connection = JournalConnection(url)
        self._plans = Plans(self.process)
        self._states = KnownStates(self._connection, self.process.spilled_values)

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def execute(self, current: CurrentRun) -> None:
        """Begin the run, or go on with it where its journal ends; returns when it has ended or waits for long.

        A run that has ended, or has not been launched, is let be.
        """
        found = self._read(current.run_id)
        if found is None:
            _logger.warning("Run %s is none of Headrace's, or its graph is deleted.", current.run_id)
            return
        is_begun = found.status in _BEGUN and self._is_journaled(current.run_id)
        if found.status != "STARTING" and not is_begun:
            return
        if self._is_selection(found):
            self._refuse(current.run_id)
            return
        if found.is_canceled or found.status == "CANCELING":
            current.stop()
        try:
            outcome = self._execute(current, found, is_begun)
            while isinstance(outcome, Suspended) and current.is_stopped:
                # It was to end while it went to sleep, and the one who said so found this worker.
                outcome = self._execute(current, found, True)
        except JournalLost:
            _logger.warning("Run %s is another's, or has ended; this worker lets it go.", current.run_id)
        except Exception as error:
            _logger.exception("Run %s cannot be executed.", current.run_id)
            self._fail(current.run_id, error)
        finally:
            self._journal = None

    def tell(self, event: NewEvent) -> bool:
        """Add what the process of the current run says to its events; False if none is executed now."""
        journal = self._journal
        if journal is not None:
            journal.append(_emitted(event))
        return journal is not None

    def _execute(self, current: CurrentRun, found: _Found, is_begun: bool) -> Outcome:
        execution = found.execution
        index = self._plan(execution)
        generation = self._take_over(found) if is_begun else found.generation
        known = self._known(execution, index, is_begun)
        begun = {key for (key, _), step in known.steps.items() if not step.is_inherited and _has_inner(step)}
        rows = DagsterRows(execution.run_id, found.body["pipeline_name"])
        projection = Projection(rows, begun, is_stopping=known.stopping is not None)
        journal = RunJournal(execution.run_id, generation, projection, self._connection, self.process.spilled_values)
        runtime = RunRuntime(
            self.process,
            execution,
            lambda event: journal.append(_emitted(event)),
            cancellation=current.cancellation,
            masking=current.masking,
        )
        engine = Engine(index, runtime, journal, self._clock, limits=self._limits(found), known=known)
        self._journal = journal
        current.on_stop(engine.stop)
        try:
            return engine.run()
        finally:
            self.has_stuck_threads = self.has_stuck_threads or engine.has_stuck_threads

    def _read(self, run_id: str) -> _Found | None:
        rows = self._connection.rows(_READ, (run_id,))
        if not rows:
            return None
        *fields, parent, retry_from, generation, is_canceled, status, body = rows[0]
        run, graph_id, graph, version, owner_id, owner, params, tags, priority, kind, trigger_id, data = fields
        execution = Execution(
            run_id=run,
            graph_id=graph_id,
            graph=graph,
            version=version,
            owner_id=owner_id,
            owner=owner,
            params=json.loads(params),
            tags=json.loads(tags),
            priority=priority,
            trigger={"kind": kind, "id": trigger_id, **json.loads(data or "{}")},
            parent_run_id=parent,
            retry_from=retry_from,
        )
        return _Found(execution, generation, status, is_canceled, json.loads(body))

    def _is_journaled(self, run_id: str) -> bool:
        """Whether the run was begun by the engine, and can go on."""
        return self._connection.rows(_IS_JOURNALED, (run_id,)) == [(ENGINE_NOTE,)]

    def _take_over(self, found: _Found) -> int:
        """From now on nothing that an earlier worker writes counts. Raises `JournalLost`."""
        run_id = found.execution.run_id
        rows = self._connection.rows(_TAKE_OVER, (run_id,))
        if not rows:
            raise JournalLost(f"Run {run_id} has ended.")
        generation: int = rows[0][0]
        return generation

    def _plan(self, execution: Execution) -> PlanIndex:
        def document() -> str:
            rows = self._connection.rows(_DOCUMENT, (execution.graph_id, execution.version))
            text: str = rows[0][0]
            return text

        return self._plans.of(execution.graph_id, execution.version, execution.owner_id, document)

    def _known(self, execution: Execution, index: PlanIndex, is_begun: bool) -> Known:
        if is_begun:
            return self._states.of(execution.run_id, index.plan)
        parent = execution.parent_run_id
        if execution.retry_from != "failure" or parent is None:
            return Known()
        if not self._connection.rows(_SAME_VERSION, (parent, execution.graph_id, execution.version)):
            return Known()
        return self._states.of(parent, index.plan).again()

    def _limits(self, found: _Found) -> Limits:
        processors = os.cpu_count() or 1
        config = found.body.get("run_config") or {}
        threads = (config.get("execution") or {}).get("config", {}).get("threads", 4 * processors)
        timeout = found.tags.get(TIMEOUT_TAG)
        times = EndingTimes.of(self.process.settings)
        return Limits(
            max_parallel=int(found.tags.get(MAX_NODES_TAG, threads)),
            processors=processors,
            timeout=None if timeout is None else float(timeout),
            grace=STUCK,
            cancel_grace=times.stop,
            last_seconds=times.last,
            suspend_over=self._suspend_over,
        )

    @property
    def _suspend_over(self) -> float:
        settings = self.process.settings
        return settings.kubernetes_suspend_over if settings.launcher == "kubernetes" else settings.suspend_over

    def _is_selection(self, found: _Found) -> bool:
        """Whether somebody chose steps in Dagster's UI; a run may also list all of its steps."""
        chosen, plan = found.body.get("step_keys_to_execute"), found.body.get("execution_plan_snapshot_id")
        is_ours = found.execution.trigger["id"] != DAGSTERS_UI or found.tags.get(RESUME_RETRY_TAG) == "true"
        if is_ours or chosen is None or plan is None:
            return False
        return set(chosen) != {step.key for step in self.instance.get_execution_plan_snapshot(plan).steps}

    def _refuse(self, run_id: str) -> None:
        run = self.instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            data = failure_data(SELECTION, _SELECTION_REFUSED)
            self.instance.report_run_failed(run, _SELECTION_REFUSED, data)

    def _fail(self, run_id: str, error: Exception) -> None:
        run = self.instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self.instance.report_run_failed(run, f"The run could not be executed: {type(error).__name__}: {error}")


def _has_inner(step: Any) -> bool:
    return step.items is not None or step.params is not None


def _emitted(event: NewEvent) -> records.Emitted:
    level: Any = event.level
    return records.Emitted(event.ts, event.type, event.message, level, event.node, event.item, event.data)
