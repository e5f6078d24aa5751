"""Runs whose turn has come become Dagster runs and are launched: with the same id, so that doing it twice makes one.

The daemon alone does this; the APIs only write to our tables (docs/adr/0007, 0022).

Internals used: `LaunchRunContext`, with which a run launcher is called, and the tags by which Dagster's UI links a run
to its code location, sensor, schedule or the run that it retries.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, JobDefinition
from dagster._core.launcher import LaunchRunContext
from dagster._core.storage.tags import (
    PARENT_RUN_ID_TAG,
    RESUME_RETRY_TAG,
    ROOT_RUN_ID_TAG,
    SCHEDULE_NAME_TAG,
    SENSOR_NAME_TAG,
)

from definitions.daemon.run_template import RunTemplate, fits_a_template, starting_event
from definitions.daemon.submission_statement import build
from definitions.daemon.waking_statement import wake
from definitions.execution.graph_jobs import pinned_job
from definitions.instance.event_storage import event_storage_of
from definitions.shared.names import TRIGGER_KIND_TAG, TRIGGER_TAG, schedule_name
from definitions.shared.pinning import code_origin, remote_origin
from definitions.workers.run_launcher import WarmRunLauncher
from platform_core.database.engine import DatabaseError, Engine, reading, transaction
from platform_core.errors import Unavailable
from platform_core.facts.run_error import RunError
from platform_core.facts.run_status import RunStatus
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.runs.queue_store import ChosenRun, claim, read_chosen
from platform_core.runs.run_ending import NOT_BEGUN, cancel_unsubmitted, end_unsubmitted
from platform_core.runs.run_store import FROM_FAILURE
from platform_core.settings import Settings
from platform_core.triggers.timer_store import SENSOR

_PRIORITY_TAG = "dagster/priority"
_TEMPLATES = 1000
_logger = logging.getLogger("headrace.submission")


class Submission:
    """Moves what the APIs wrote into Dagster: runs to its launcher, wishes to cancel to those who execute them."""

    def __init__(self, settings: Settings, engine: Engine, instance: DagsterInstance) -> None:
        self._settings = settings
        self._engine = engine
        self._instance = instance
        self._runs = event_storage_of(instance).run_storage
        self._templates: OrderedDict[tuple[str, int], RunTemplate] = OrderedDict()

    def start(self, run_ids: Sequence[str], tags: Mapping[str, str] | None = None) -> int:
        """Launch these runs, in their order, if they still wait; how many began. `tags` are Dagster's for all of them.

        It heeds no limit: whose turn it is was decided before (`definitions.daemon.run_queue.Turns`).
        """
        if not run_ids:
            return 0
        with reading(self._engine) as connection:
            chosen = read_chosen(connection, run_ids)
        return sum(self._start(group, tags or {}) for group in self._groups(chosen))

    def _groups(self, chosen: Sequence[ChosenRun]) -> Iterator[list[ChosenRun]]:
        """The runs in their order: together what a template makes, alone what is planned."""
        together: list[ChosenRun] = []
        for run in chosen:
            if self._template(run) is not None:
                together.append(run)
                continue
            if together:
                yield together
                together = []
            yield [run]
        if together:
            yield together

    def _template(self, run: ChosenRun) -> RunTemplate | None:
        if run.retry_from == FROM_FAILURE or not fits_a_template(run.tags):
            return None
        return self._templates.get((run.graph_id, run.version))

    def _start(self, group: Sequence[ChosenRun], tags: Mapping[str, str]) -> int:
        if len(group) > 1 or self._template(group[0]) is not None:
            began = self._start_together(group, tags)
            # What did not begin is looked at alone: it may have been canceled, or Dagster has lost its snapshots.
            return len(began) + sum(self._start_alone(run, tags) for run in group if run.run_id not in began)
        return int(self._start_alone(group[0], tags))

    def _start_together(self, group: Sequence[ChosenRun], tags: Mapping[str, str]) -> set[str]:
        """Ids of those that began: all that are as they were when they were chosen."""
        try:
            runs = [(self._templates[run.graph_id, run.version], run.run_id, {**_tags(run), **tags}) for run in group]
            now = time.time()
            statement, parameters = build([template.start(run_id, own, now) for template, run_id, own in runs], now)
            with self._runs.connect() as connection:
                began = set(connection.exec_driver_sql(statement, parameters).scalars())
        except (*DatabaseError, Unavailable):
            raise
        except Exception:
            _logger.exception("%d runs could not start together; each starts alone.", len(group))
            return set()
        for run in group:
            self._templates.move_to_end((run.graph_id, run.version))
        self._hand_over([launch for launch in runs if launch[1] in began])
        return began

    def _hand_over(self, runs: Sequence[tuple[RunTemplate, str, Mapping[str, str]]]) -> None:
        launcher = self._instance.run_launcher
        if isinstance(launcher, WarmRunLauncher):
            launcher.send(*(run_id for _, run_id, _ in runs))
            return
        for template, run_id, own in runs:
            launcher.launch_run(LaunchRunContext(template.run(run_id, own), workspace=None))

    def _start_alone(self, run: ChosenRun, more_tags: Mapping[str, str]) -> bool:
        try:
            return self._launch(run, {**_tags(run), **more_tags})
        except (*DatabaseError, Unavailable):
            raise  # says nothing about the run, which is launched once the database is back
        except Exception as error:
            self._fail(run.run_id, error)
            return False

    def wake(self, run_ids: Sequence[str]) -> int:
        """Give these runs, which have waited without a worker, to one each; how many still waited."""
        if not run_ids:
            return 0
        with self._runs.connect() as connection:
            woken = set(connection.exec_driver_sql(*wake(run_ids, time.time())).scalars())
        self._go_on([run_id for run_id in run_ids if run_id in woken])
        return len(woken)

    def _go_on(self, run_ids: Sequence[str]) -> None:
        launcher = self._instance.run_launcher
        if isinstance(launcher, WarmRunLauncher):
            if run_ids:
                launcher.send(*run_ids)
            return
        for run_id in run_ids:
            run = self._instance.get_run_by_id(run_id)
            if run is not None:
                launcher.launch_run(LaunchRunContext(run, workspace=None))

    def cancel(self, run_ids: Iterable[str]) -> None:
        """Cancel these runs; asking Dagster again for one that is already ending does no harm."""
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

    def _launch(self, chosen: ChosenRun, tags: Mapping[str, str]) -> bool:
        """Dagster's run, its start and our row change in one transaction: a crash leaves all of it or nothing."""
        job = pinned_job(chosen.graph_id, chosen.version)
        tags = {**tags, **job.tags}
        parent = self._parent(chosen)
        with self._runs.transaction() as connection:
            if not claim(connection, chosen.run_id):
                return False
            # There is one if an earlier release died at a bad moment.
            run = self._instance.get_run_by_id(chosen.run_id)
            is_new = run is None
            if run is None:
                run = self._create(chosen, job, tags) if parent is None else self._retry(chosen, job, tags, parent)
            self._instance.report_dagster_event(starting_event(run), run_id=run.run_id)
        if is_new and parent is None:
            self._remember(chosen, RunTemplate(run, job.tags))
        context = LaunchRunContext(run.with_status(DagsterRunStatus.STARTING), workspace=None)
        self._instance.run_launcher.launch_run(context)
        return True

    def _remember(self, chosen: ChosenRun, template: RunTemplate) -> None:
        if not template.is_whole:
            return
        key = (chosen.graph_id, chosen.version)
        self._templates[key] = template
        self._templates.move_to_end(key)
        if len(self._templates) > _TEMPLATES:
            self._templates.popitem(last=False)

    def _retry(self, chosen: ChosenRun, job: JobDefinition, tags: Mapping[str, str], parent: DagsterRun) -> DagsterRun:
        root = parent.root_run_id or parent.run_id
        linked = {PARENT_RUN_ID_TAG: parent.run_id, ROOT_RUN_ID_TAG: root, RESUME_RETRY_TAG: "true"}
        return self._create(chosen, job, {**tags, **linked}, parent_run_id=parent.run_id, root_run_id=root)

    def _create(self, chosen: ChosenRun, job: JobDefinition, tags: Mapping[str, str], **options: Any) -> DagsterRun:
        return self._instance.create_run_for_job(
            job,
            run_id=chosen.run_id,
            tags=tags,
            job_code_origin=code_origin(job.name, chosen.graph_id, chosen.version),
            remote_job_origin=remote_origin(job.name, self._settings),
            **options,
        )

    def _parent(self, chosen: ChosenRun) -> DagsterRun | None:
        """The run whose failure this one retries from, if Dagster still knows it."""
        if chosen.parent_run_id is None or chosen.retry_from != FROM_FAILURE:
            return None
        return self._instance.get_run_by_id(chosen.parent_run_id)

    def _fail(self, run_id: str, error: Exception) -> None:
        _logger.exception("Run %s cannot be launched.", run_id)
        reason = RunError("not_submittable", f"The run could not be submitted: {error}")
        with transaction(self._engine) as connection:
            if end_unsubmitted(connection, run_id, RunStatus.FAILURE, reason):
                return
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._instance.report_run_failed(run, f"The run could not be launched: {error}")


def _tags(chosen: ChosenRun) -> dict[str, str]:
    """What the run's own tags are in Dagster, beside those of its job."""
    tags = {**chosen.tags, TRIGGER_KIND_TAG: chosen.trigger_kind.value}
    if chosen.trigger_id is not None:
        tags[TRIGGER_TAG] = chosen.trigger_id
    if chosen.priority:
        tags[_PRIORITY_TAG] = str(chosen.priority)
    return {**tags, **_schedule_tag(chosen)}


def _schedule_tag(chosen: ChosenRun) -> dict[str, str]:
    """By which Dagster's UI lists the run under its schedule, or under the timer sensor."""
    if chosen.trigger_kind != TriggerKind.SCHEDULE or chosen.trigger_id is None:
        return {}
    if not chosen.is_plain_cron:
        return {SENSOR_NAME_TAG: SENSOR}
    return {SCHEDULE_NAME_TAG: schedule_name(chosen.owner, chosen.graph, chosen.trigger_id)}
