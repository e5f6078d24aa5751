"""Stored graph versions as Dagster jobs, each compiled once per process: a version never changes."""

from __future__ import annotations

import math
from functools import lru_cache

from dagster import JobDefinition

from definitions.execution.context import process_context
from definitions.shared.names import GRAPH_ID_TAG, GRAPH_TAG, OWNER_TAG, VERSION_TAG, limit_tag
from definitions.shared.patience import patiently, read_patiently
from graph_compiler.jobs.compilation import compile_job
from graph_compiler.language.spec import GraphSpec, SettingsSpec
from graph_compiler.running.naming import job_name
from platform_core.ending_times import EndingTimes
from platform_core.graphs.graph_library import OwnedGraphs
from platform_core.runs.execution_store import PinnedVersion, read_version

CACHED = 10_000
"""Jobs kept per process: more than an installation has graphs, or each snapshot would compile them again."""


@lru_cache(maxsize=CACHED)
def pinned_job(graph_id: str, version: int) -> JobDefinition:
    """The job of exactly this version; run workers find it by this function's name. Raises `VersionNotFound`."""
    engine = process_context().engine
    return compile_version(read_patiently(engine, lambda connection: read_version(connection, graph_id, version)))


def compile_version(stored: PinnedVersion) -> JobDefinition:
    """The job of a stored version, with the tags by which a run of it is pinned to it."""
    spec = GraphSpec.model_validate_json(stored.document)
    limit = spec.settings.max_concurrent_runs
    return compile_job(
        spec,
        name=job_name(stored.owner, stored.graph),
        node_types=process_context().node_types,
        library=OwnedGraphs(lambda: patiently(process_context().engine), stored.owner_id),
        tags={
            GRAPH_TAG: stored.graph,
            GRAPH_ID_TAG: stored.graph_id,
            VERSION_TAG: str(stored.version),
            OWNER_TAG: stored.owner,
            **monitor_tags(spec.settings, EndingTimes.of(process_context().settings)),
            **({} if limit is None else {limit_tag(limit): stored.graph_id}),
        },
    )


def monitor_tags(settings: SettingsSpec, times: EndingTimes) -> dict[str, str]:
    """How long Dagster's monitor lets a run go on: the worker ends it in time, the monitor is for one that cannot."""
    return {} if settings.timeout is None else {"dagster/max_runtime": str(math.ceil(settings.timeout) + times.monitor)}
