"""A client of the code server asks only for jobs that it does not know in their present form."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._grpc.client import DagsterGrpcClient

from definitions.execution.graph_jobs import pinned_job
from definitions.instance.job_snapshots import remember_jobs
from definitions.shared import addresses
from definitions.shared.names import LOCATION, REPOSITORY
from tests.integration.definitions.documents import versioned
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site
from tests.waiting import wait_until


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the jobs that were asked for; Dagster's own function is back after the test."""
    names: list[str] = []
    ask = DagsterGrpcClient.external_job
    monkeypatch.setattr("dagster._api.snapshot_repository.sync_get_external_repositories_data_grpc", None)

    def noted(self: DagsterGrpcClient, origin: RemoteRepositoryOrigin, name: str) -> str:
        names.append(name)
        return ask(self, origin, name)

    monkeypatch.setattr(DagsterGrpcClient, "external_job", noted)
    remember_jobs()
    return names


@pytest.fixture
def origin(site: Site) -> Iterator[GrpcServerCodeLocationOrigin]:
    address = addresses.code_server(site.settings)
    with Service("location.code_location"):
        wait_until(lambda: addresses.wait_for_code_server(site.settings, 1.0), "the code server answers", 60)
        yield GrpcServerCodeLocationOrigin(host=address.host, socket=address.socket, location_name=LOCATION)


def test_only_new_and_changed_jobs_are_asked_for(
    site: Site, asked: list[str], origin: GrpcServerCodeLocationOrigin
) -> None:
    def read() -> tuple[list[str], dict[str, str]]:
        asked.clear()
        location = GrpcServerCodeLocation(origin, site.instance, socket=origin.socket, host=origin.host)
        jobs = location.get_repository(REPOSITORY).get_all_jobs()
        location.cleanup()
        return sorted(asked), {job.name: job.identifying_job_snapshot_id for job in jobs}

    first, _ = (site.save_graph(versioned(name, 1)) for name in ("first", "second"))
    assert read()[0] == ["ada__first", "ada__second"]
    assert read()[0] == []
    third, second = site.save_graph(versioned("third", 1)), site.save_graph(versioned("second", 2))
    names, snapshots = read()
    assert names == ["ada__second", "ada__third"]
    jobs = [pinned_job(graph.id, graph.version) for graph in (first, second, third)]
    assert snapshots == {job.name: job.get_job_snapshot_id() for job in jobs}
