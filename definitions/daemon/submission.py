"""Runs whose turn has come become Dagster runs and are launched: with the same id, so that doing it twice makes one.

The daemon alone does this; the APIs only write to our tables (docs/adr/0007, 0022).
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, JobDefinition
from dagster._core.launcher import LaunchRunContext
from dagster._core.storage.tags import CODE_LOCATION_TAG, SCHEDULE_NAME_TAG, SENSOR_NAME_TAG

from definitions.execution.retries import plan_from_failure, retry_tags
from definitions.instance.event_storage import event_storage_of
from definitions.jobs import pinned_job
from definitions.location.schedules import schedule_name
from definitions.shared.names import LOCATION, TRIGGER_KIND_TAG, TRIGGER_TAG
from definitions.shared.pinning import code_origin, remote_origin
from platform_core.database.engine import DatabaseError, Engine, reading, transaction
from platform_core.errors import Unavailable
from platform_core.runs.execution_store import Execution, list_to_cancel, read_executions
from platform_core.runs.queue_store import claim
from platform_core.runs.run_ending import NOT_BEGUN, cancel_unsubmitted, end_unsubmitted
from platform_core.settings import Settings
from platform_core.triggers.timer_store import SCHEDULE, SENSOR, is_plain_cron

_PRIORITY_TAG = "dagster/priority"
_EXAMPLES = 1000
_logger = logging.getLogger("headrace.submission")


class Submission:
    """Moves what the APIs wrote into Dagster: runs to its launcher, wishes to cancel to those who execute them."""

    def __init__(self, settings: Settings, engine: Engine, instance: DagsterInstance) -> None:
        self._settings = settings
        self._engine = engine
        self._instance = instance
        self._runs = event_storage_of(instance).run_storage
        self._examples: OrderedDict[tuple[str, int], DagsterRun] = OrderedDict()

    def start(self, run_ids: Sequence[str], tags: Mapping[str, str] | None = None) -> int:
        """Launch these runs, in their order, if they still wait; how many began. `tags` are Dagster's for all of them.

        It heeds no limit: whose turn it is was decided before (`definitions.daemon.run_queue.Turns`).
        """
        if not run_ids:
            return 0
        with reading(self._engine) as connection:
            executions = read_executions(connection, run_ids)
        return sum(self._start(execution, tags or {}) for execution in executions)

    def _start(self, execution: Execution, more_tags: Mapping[str, str]) -> bool:
        try:
            return self._launch(execution, {**_tags(execution), **self._schedule_tag(execution), **more_tags})
        except (*DatabaseError, Unavailable):
            raise  # says nothing about the run, which is launched once the database is back
        except Exception as error:
            self._fail(execution.run_id, error)
            return False

    def cancel_requested(self) -> None:
        """Cancel what is to be cancelled; asking Dagster again for a run that is already ending does no harm."""
        with reading(self._engine) as connection:
            run_ids = list_to_cancel(connection)
        for run_id in run_ids:
            self._cancel(run_id)

    def _cancel(self, run_id: str) -> None:
        run = self._instance.get_run_by_id(run_id)
        if run is None:
            with transaction(self._engine) as connection:
                cancel_unsubmitted(connection, run_id)
        elif run.status == DagsterRunStatus.NOT_STARTED:
            self._instance.report_run_canceled(run, NOT_BEGUN)
        elif run.status != DagsterRunStatus.CANCELING:
            self._instance.run_coordinator.cancel_run(run_id)

    def _launch(self, execution: Execution, tags: Mapping[str, str]) -> bool:
        """Dagster's run, its start and our row change in one transaction: a crash leaves all of it or nothing."""
        job = pinned_job(execution.graph_id, execution.version)
        tags = {**tags, **job.tags}
        parent = self._parent(execution)
        with self._runs.transaction() as connection:
            if not claim(connection, execution.run_id):
                return False
            # There is one if an earlier release died at a bad moment.
            run = self._instance.get_run_by_id(execution.run_id)
            if run is None:
                run = self._copy(execution, job, tags) if parent is None else self._retry(execution, job, tags, parent)
            starting = DagsterEvent(DagsterEventType.PIPELINE_STARTING.value, run.job_name)
            self._instance.report_dagster_event(starting, run_id=run.run_id)
        context = LaunchRunContext(run.with_status(DagsterRunStatus.STARTING), workspace=None)
        self._instance.run_launcher.launch_run(context)
        return True

    def _copy(self, execution: Execution, job: JobDefinition, tags: Mapping[str, str]) -> DagsterRun:
        """A run like the version's run before: only id and tags differ, and planning anew is most of the work."""
        key = (execution.graph_id, execution.version)
        example = self._examples.get(key)
        if example is None or example.job_snapshot_id is None or not self._is_known(example.job_snapshot_id):
            run = self._create(execution, job, tags)
            self._examples[key] = run
            if len(self._examples) > _EXAMPLES:
                self._examples.popitem(last=False)
            return run
        self._examples.move_to_end(key)
        tags = {**tags, CODE_LOCATION_TAG: LOCATION}
        return self._runs.add_run(example._replace(run_id=execution.run_id, tags=tags))

    def _is_known(self, snapshot_id: str) -> bool:
        """Whether Dagster has the snapshot still; `dagster run wipe` removes them."""
        return self._runs.has_job_snapshot(snapshot_id)

    def _retry(
        self, execution: Execution, job: JobDefinition, tags: Mapping[str, str], parent: DagsterRun
    ) -> DagsterRun:
        return self._create(
            execution,
            job,
            {**tags, **retry_tags(parent)},
            execution_plan=plan_from_failure(self._instance, job, parent),
            parent_run_id=parent.run_id,
            root_run_id=parent.root_run_id or parent.run_id,
        )

    def _create(self, execution: Execution, job: JobDefinition, tags: Mapping[str, str], **options: Any) -> DagsterRun:
        return self._instance.create_run_for_job(
            job,
            run_id=execution.run_id,
            tags=tags,
            job_code_origin=code_origin(job.name, execution.graph_id, execution.version),
            remote_job_origin=remote_origin(job.name, self._settings),
            **options,
        )

    def _parent(self, execution: Execution) -> DagsterRun | None:
        """The run whose failure this one retries from, if Dagster knows of anything that it executed."""
        if execution.parent_run_id is None or execution.retry_from != "failure":
            return None
        parent = self._instance.get_run_by_id(execution.parent_run_id)
        return parent if parent is not None and parent.execution_plan_snapshot_id else None

    def _schedule_tag(self, execution: Execution) -> dict[str, str]:
        """By which Dagster's UI lists the run under its schedule, or under the timer sensor."""
        if execution.trigger["kind"] != SCHEDULE:
            return {}
        with reading(self._engine) as connection:
            is_plain = is_plain_cron(connection, execution.graph_id, execution.trigger["id"])
        name = schedule_name(execution.owner, execution.graph, execution.trigger["id"])
        return {SCHEDULE_NAME_TAG: name} if is_plain else {SENSOR_NAME_TAG: SENSOR}

    def _fail(self, run_id: str, error: Exception) -> None:
        _logger.exception("Run %s cannot be launched.", run_id)
        reason = {"kind": "not_submittable", "message": f"The run could not be submitted: {error}", "node": None}
        with transaction(self._engine) as connection:
            if end_unsubmitted(connection, run_id, "FAILURE", reason):
                return
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._instance.report_run_failed(run, f"The run could not be launched: {error}")


def _tags(execution: Execution) -> dict[str, str]:
    """What the run's own tags are in Dagster, beside those of its job."""
    tags = {**execution.tags, TRIGGER_KIND_TAG: execution.trigger["kind"]}
    if execution.trigger["id"] is not None:
        tags[TRIGGER_TAG] = execution.trigger["id"]
    if execution.priority:
        tags[_PRIORITY_TAG] = str(execution.priority)
    return tags
