"""Accepted runs become Dagster runs: with the same id, so that doing it twice makes one.

The daemon alone does this; the APIs only write to our tables (docs/adr/0007).
"""

from __future__ import annotations

import logging

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.errors import DagsterRunAlreadyExists
from dagster._core.run_coordinator import SubmitRunContext

from definitions.jobs import pinned_job
from definitions.names import TRIGGER_KIND_TAG, TRIGGER_TAG
from definitions.pinning import code_origin, remote_origin
from definitions.retries import plan_from_failure, retry_tags
from platform_core.database import DatabaseError, Engine, reading, transaction
from platform_core.errors import Unavailable
from platform_core.execution_store import (
    Execution,
    end_unsubmitted,
    list_to_cancel,
    list_unsubmitted,
    mark_submitted,
)
from platform_core.settings import Settings

BATCH = 50
_NOT_BEGUN = "The run was canceled before it began."
_PRIORITY_TAG = "dagster/priority"
_logger = logging.getLogger("headrace.submission")


class Submission:
    """Moves what the APIs wrote into Dagster: new runs into its queue, wishes to cancel to its launcher."""

    def __init__(self, settings: Settings, engine: Engine, instance: DagsterInstance) -> None:
        self._settings = settings
        self._engine = engine
        self._instance = instance

    def submit_accepted(self) -> int:
        """Submit up to `BATCH` accepted runs, the oldest first; how many there were."""
        with reading(self._engine) as connection:
            executions = list_unsubmitted(connection, BATCH)
        for execution in executions:
            try:
                self._submit(execution)
            except (*DatabaseError, Unavailable):
                raise  # says nothing about the run, which is submitted once the database is back
            except Exception as error:
                self._fail(execution.run_id, error)
        return len(executions)

    def cancel_requested(self) -> None:
        """Cancel what is to be cancelled; asking Dagster again for a run that is already ending does no harm."""
        with reading(self._engine) as connection:
            run_ids = list_to_cancel(connection)
        for run_id in run_ids:
            self._cancel(run_id)

    def _cancel(self, run_id: str) -> None:
        run = self._instance.get_run_by_id(run_id)
        if run is None:
            error = {"kind": "canceled", "message": _NOT_BEGUN, "node": None}
            with transaction(self._engine) as connection:
                end_unsubmitted(connection, run_id, "CANCELED", error)
        elif run.status == DagsterRunStatus.NOT_STARTED:
            self._instance.report_run_canceled(run, _NOT_BEGUN)
        elif run.status != DagsterRunStatus.CANCELING:
            self._instance.run_coordinator.cancel_run(run_id)

    def _submit(self, execution: Execution) -> None:
        run = self._instance.get_run_by_id(execution.run_id) or self._create(execution)
        if run.status == DagsterRunStatus.NOT_STARTED:
            self._instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]  # the queue does not read it
        with transaction(self._engine) as connection:
            mark_submitted(connection, execution.run_id)

    def _create(self, execution: Execution) -> DagsterRun:
        job = pinned_job(execution.graph_id, execution.version)
        tags = {**execution.tags, **job.tags, TRIGGER_KIND_TAG: execution.trigger["kind"]}
        if execution.trigger["id"] is not None:
            tags[TRIGGER_TAG] = execution.trigger["id"]
        if execution.priority:
            tags[_PRIORITY_TAG] = str(execution.priority)
        parent = self._parent(execution)
        if parent is not None:
            tags |= retry_tags(parent)
        try:
            return self._instance.create_run_for_job(
                job,
                execution_plan=None if parent is None else plan_from_failure(self._instance, job, parent),
                parent_run_id=None if parent is None else parent.run_id,
                root_run_id=None if parent is None else parent.root_run_id or parent.run_id,
                run_id=execution.run_id,
                tags=tags,
                job_code_origin=code_origin(job.name, execution.graph_id, execution.version),
                remote_job_origin=remote_origin(job.name, self._settings),
            )
        except DagsterRunAlreadyExists:  # a former leader is still at it
            run = self._instance.get_run_by_id(execution.run_id)
            assert run is not None
            return run

    def _parent(self, execution: Execution) -> DagsterRun | None:
        """The run whose failure this one retries from, if Dagster knows of anything that it executed."""
        if execution.parent_run_id is None or execution.retry_from != "failure":
            return None
        parent = self._instance.get_run_by_id(execution.parent_run_id)
        return parent if parent is not None and parent.execution_plan_snapshot_id else None

    def _fail(self, run_id: str, error: Exception) -> None:
        _logger.exception("Run %s cannot be submitted.", run_id)
        reason = {"kind": "not_submittable", "message": f"The run could not be submitted: {error}", "node": None}
        with transaction(self._engine) as connection:
            end_unsubmitted(connection, run_id, "FAILURE", reason)
