"""Contexts of a run's steps, made without what Dagster makes anew for each step and no node needs.

Internals used (Dagster 1.13): `StepExecutionContext`, whose steps here share one log and their resources; and
`DagsterLogManager`, which takes each event of a step through three loggers, their locks and a new UUID to the
instance: half of what a light step costs. Ours hands it over at once. Lines that Dagster itself logs, and the failures
of steps, still take Dagster's way, to its loggers too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Set
from typing import Any

from dagster import DagsterEvent, DagsterInstance
from dagster._core.definitions.resource_definition import Resources
from dagster._core.definitions.scoped_resources_builder import ScopedResourcesBuilder
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.context.system import PlanExecutionContext, StepExecutionContext
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.log_manager import DagsterLogManager


class StepLog(DagsterLogManager):
    """The log that all steps of a run share."""

    def __init__(self, log: DagsterLogManager, instance: DagsterInstance) -> None:
        super().__init__(log._dagster_handler, log.level)
        self._instance = instance

    def log_dagster_event(
        self, level: str | int, msg: str, dagster_event: DagsterEvent, batch_metadata: Any = None
    ) -> None:
        """Store the event; one that is more than a debugging line goes to Dagster's loggers, too."""
        if level != logging.DEBUG:
            super().log_dagster_event(level, msg, dagster_event, batch_metadata)
            return
        entry = EventLogEntry(  # type: ignore[no-untyped-call]  # Dagster does not annotate it
            error_info=None,
            level=level,
            user_message=msg,
            run_id=self.metadata["run_id"] or "",
            timestamp=time.time(),
            step_key=dagster_event.step_key,
            job_name=dagster_event.job_name,
            dagster_event=dagster_event,
        )
        self._instance.handle_new_event(entry, batch_metadata=batch_metadata)

    def with_tags(self, **new_tags: str) -> DagsterLogManager:
        """This log: an event says itself which step it is of."""
        return self

    def begin_python_log_capture(self) -> None:
        """Nothing: users' code, whose log lines Dagster would capture, runs in other processes."""

    def end_python_log_capture(self) -> None:
        """Nothing, as above."""


class SharedResources(ScopedResourcesBuilder):
    """Builds the resources for the same keys once."""

    _built: dict[frozenset[str], Resources]

    def __new__(cls, builder: ScopedResourcesBuilder) -> SharedResources:
        shared: SharedResources = super().__new__(cls, builder.resource_instance_dict, builder.contains_generator)
        shared._built = {}
        return shared

    def build(self, required_resource_keys: Set[str] | None) -> Resources:
        keys = frozenset(required_resource_keys or ())
        built = self._built.get(keys)
        if built is None:
            built = self._built[keys] = super().build(keys)
        return built


class StepContexts:
    """Makes the contexts of one run's steps."""

    def __init__(self, context: PlanExecutionContext) -> None:
        data = context._execution_data
        self._context = context
        self._log = StepLog(context.log, context.instance)
        self._data = data._replace(scoped_resources_builder=SharedResources(data.scoped_resources_builder))

    def of(self, step: ExecutionStep, known_state: KnownExecutionState) -> StepExecutionContext:
        """The context in which the step is executed now."""
        return StepExecutionContext(
            plan_data=self._context.plan_data,
            execution_data=self._data,
            log_manager=self._log,
            step=step,
            output_capture=self._context.output_capture,
            known_state=known_state,
            event_loop=self._context.event_loop,
        )
