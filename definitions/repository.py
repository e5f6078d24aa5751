"""The code location: a repository whose jobs follow the store, without a restart and without a full rebuild."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from dagster import (
    DagsterInvariantViolationError,
    JobDefinition,
    RepositoryData,
    ScheduleDefinition,
    SensorDefinition,
    repository,
)

from definitions.execution.context import process_context
from definitions.jobs import pinned_job
from definitions.location.schedules import schedule_of
from definitions.location.sensors import inbox
from definitions.location.timer_sensor import timer_sensor
from definitions.shared.names import REPOSITORY
from graph_compiler.running.naming import job_name, owner_and_graph
from platform_core.database.engine import Engine, reading
from platform_core.graphs.graph_store import Graph, all_graphs, resolve_graph
from platform_core.triggers.timer_store import Timer, list_plain_timers

_logger = logging.getLogger("headrace.repository")


class StoredGraphs(RepositoryData):
    """One job per graph, at its current version; a version's job is compiled once, so it is the same object always.

    Dagster asks anew for all jobs each time a client reloads the location.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._timer_sensor = timer_sensor()

    def _versions(self) -> dict[str, tuple[str, int]]:
        with reading(self._engine) as connection:
            return {job_name(graph.owner, graph.name): (graph.id, graph.version) for graph in all_graphs(connection)}

    def _compile(self, graph_id: str, version: int) -> JobDefinition:
        with self._lock:
            return pinned_job(graph_id, version)

    def get_all_jobs(self) -> Sequence[JobDefinition]:
        jobs = []
        for name, pin in sorted(self._versions().items()):
            try:
                jobs.append(self._compile(*pin))
            except Exception:
                _logger.exception("The graph of job %s cannot be compiled; the others are served without it.", name)
        return jobs

    def get_job_names(self) -> Sequence[str]:
        return sorted(self._versions())

    def has_job(self, job_name: str) -> bool:
        return self._find(job_name) is not None

    def get_job(self, job_name: str) -> JobDefinition:
        graph = self._find(job_name)
        if graph is None:
            raise DagsterInvariantViolationError(f"There is no graph of job {job_name}.")
        return self._compile(graph.id, graph.version)

    def _find(self, job_name: str) -> Graph | None:
        owner, graph = owner_and_graph(job_name)
        with reading(self._engine) as connection:
            return resolve_graph(connection, "", f"{owner}~{graph}", True)

    def get_all_schedules(self) -> Sequence[ScheduleDefinition]:
        with reading(self._engine) as connection:
            timers = list_plain_timers(connection)
        return [schedule for timer in timers if (schedule := _schedule(timer)) is not None]

    def get_all_sensors(self) -> Sequence[SensorDefinition]:
        return [inbox, self._timer_sensor]

    def get_top_level_resources(self) -> Mapping[str, Any]:
        return {}

    def get_env_vars_by_top_level_resource(self) -> Mapping[str, set[str]]:
        return {}

    def load_all_definitions(self) -> None:
        self.get_all_jobs()


def _schedule(timer: Timer) -> ScheduleDefinition | None:
    try:
        return schedule_of(timer)
    except Exception:
        _logger.exception("Timer %s of %s cannot be shown; it fires all the same.", timer.trigger_id, timer.graph)
        return None


@repository(name=REPOSITORY)  # type: ignore[arg-type]  # a RepositoryData is documented, but not in the annotation
def stored_graphs() -> StoredGraphs:
    """What `dagster api grpc -m definitions.repository` serves."""
    return StoredGraphs(process_context().engine)
