"""Runs pinned to their graph version: a run's code origin names graph and version, and run workers rebuild just that.

Internals used: `JobPythonOrigin`, `RemoteJobOrigin` and their parts, which a DagsterRun carries and run workers read.
"""

from __future__ import annotations

import sys

from dagster import DagsterRun
from dagster._core.code_pointer import CustomPointer, ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from definitions.shared import addresses
from definitions.shared.names import GRAPH_ID_TAG, LOCATION, REPOSITORY, VERSION_TAG
from platform_core.settings import Settings

_RECONSTRUCTOR = ModuleCodePointer("definitions.jobs", "pinned_job", None)


def code_origin(job_name: str, graph_id: str, version: int) -> JobPythonOrigin:
    """The origin from which any run worker rebuilds exactly this version of the graph."""
    pointer = CustomPointer(_RECONSTRUCTOR, [graph_id, version], [])
    return JobPythonOrigin(job_name, RepositoryPythonOrigin(sys.executable, pointer))


def remote_origin(job_name: str, settings: Settings) -> RemoteJobOrigin:
    """The origin by which Dagster's UI finds the job in our code location."""
    return RemoteJobOrigin(_repository_origin(settings), job_name)


def instigator_origin(name: str, settings: Settings) -> RemoteInstigatorOrigin:
    """The origin of a schedule or sensor in our code location."""
    return RemoteInstigatorOrigin(_repository_origin(settings), name)


def _repository_origin(settings: Settings) -> RemoteRepositoryOrigin:
    address = addresses.code_server(settings)
    location = GrpcServerCodeLocationOrigin(
        host=address.host, port=address.port, socket=address.socket, location_name=LOCATION
    )
    return RemoteRepositoryOrigin(location, REPOSITORY)


def pinned(run: DagsterRun) -> DagsterRun:
    """The run with its origin pinned to the version in its tags, if it is a run of ours and not pinned yet."""
    graph_id, version = run.tags.get(GRAPH_ID_TAG), run.tags.get(VERSION_TAG)
    if graph_id is None or version is None:
        return run
    return run._replace(job_code_origin=code_origin(run.job_name, graph_id, int(version)))
