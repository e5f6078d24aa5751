"""Reads our code location into the daemon and Dagster's UI without asking again for jobs that have not changed.

Internals replaced: `dagster._api.snapshot_repository.sync_get_external_repositories_data_grpc`, by which a client of a
code server asks for every job, one call each, whenever it refreshes: with 5,000 graphs that keeps the code server
busy for a minute after each save. A job's snapshot is named by the hash of its content, so a known one stays good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from dagster._api import snapshot_repository
from dagster._core.errors import DagsterUserCodeProcessError
from dagster._core.remote_origin import RemoteRepositoryOrigin
from dagster._core.remote_representation.code_location import CodeLocation
from dagster._core.remote_representation.external_data import (
    JobRefSnap,
    RepositoryErrorSnap,
    RepositorySnap,
    extract_serialized_job_snap_from_serialized_job_data_snap,
)
from dagster._core.snap import JobSnap
from dagster._grpc.client import DagsterGrpcClient
from dagster._serdes import deserialize_value
from dagster_shared.error import SerializableErrorInfo

_THREADS = 4

Repositories = Mapping[str, tuple[RepositorySnap, Mapping[str, JobSnap]]]


class JobSnapshots:
    """The snapshots of the jobs that were there at the last refresh, by their ids."""

    def __init__(self) -> None:
        self._known: dict[str, JobSnap] = {}

    def read(self, api_client: DagsterGrpcClient, code_location: CodeLocation, defer_snapshots: bool) -> Repositories:
        """Every repository of the location with its jobs' snapshots; stands in for Dagster's function."""
        known = self._known
        found: dict[str, tuple[RepositorySnap, Mapping[str, JobSnap]]] = {}
        for name in code_location.repository_names:  # type: ignore[attr-defined]  # only locations behind gRPC have names
            origin = RemoteRepositoryOrigin(code_location.origin, name)
            answer = api_client.external_repository(remote_repository_origin=origin, defer_snapshots=defer_snapshots)
            repository = deserialize_value(answer, (RepositorySnap, RepositoryErrorSnap))
            if isinstance(repository, RepositoryErrorSnap):
                raise DagsterUserCodeProcessError.from_error_info(repository.error)  # type: ignore[no-untyped-call]  # theirs
            found[name] = repository, _jobs(api_client, origin, repository.get_job_refs(), known)
        self._known = {snap.snapshot_id: snap for _, snaps in found.values() for snap in snaps.values()}
        return found


def _jobs(
    client: DagsterGrpcClient, origin: RemoteRepositoryOrigin, refs: Sequence[JobRefSnap], known: Mapping[str, JobSnap]
) -> dict[str, JobSnap]:
    new = [ref.name for ref in refs if ref.snapshot_id not in known]
    with ThreadPoolExecutor(_THREADS) as executor:
        fetched = dict(zip(new, executor.map(lambda name: _fetch(client, origin, name), new), strict=True))
    return {ref.name: fetched.get(ref.name) or known[ref.snapshot_id] for ref in refs}


def _fetch(client: DagsterGrpcClient, origin: RemoteRepositoryOrigin, name: str) -> JobSnap:
    answer = client.external_job(origin, name)
    if not answer.serialized_job_data:
        error = answer.serialized_error
        reason = deserialize_value(error, SerializableErrorInfo) if error else "no reason was given"
        raise RuntimeError(f"The code server cannot show job {name}: {reason}")
    serialized = extract_serialized_job_snap_from_serialized_job_data_snap(answer.serialized_job_data)
    return deserialize_value(serialized, JobSnap)


def remember_jobs() -> None:
    """Have this process's clients of code servers keep what they know."""
    snapshot_repository.sync_get_external_repositories_data_grpc = JobSnapshots().read
