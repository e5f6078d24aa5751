"""Many runs of one graph, launched by one request in one transaction; those that do not fit are named."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from fastapi import APIRouter, Response

from platform_core.audit.entry import Action, Deed
from platform_core.database.engine import Connection, transaction
from platform_core.errors import (
    GraphNotFound,
    HeadraceError,
    IdempotencyKeyReused,
    InvalidParams,
    InvalidRequest,
    Unavailable,
    VersionNotFound,
)
from platform_core.facts.run_status import RunStatus
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.graphs.graph_store import Graph
from platform_core.identity.auth import Principal
from platform_core.runs.batch_store import EarlierRun, accept_runs, runs_of_keys
from platform_core.runs.run_store import NewRun
from platform_core.web.dependencies import AUTH_ERRORS, RunWriter, ServicesDep
from platform_core.web.origin import Origin, OriginDep
from platform_core.web.problems import problems
from platform_core.web.services import Services
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.live.state import StateDep
from trigger_api.runs.keys import KeyHeader
from trigger_api.runs.launching import new_run
from trigger_api.runs.schemas import BatchAnswer, BatchRefusal, BatchRun, LaunchBatch, LaunchItem
from trigger_api.shared.graph_access import Opened, SpecCache, find_graph

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=StrictJsonRoute)

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable, GraphNotFound, IdempotencyKeyReused)


@router.post(
    "/graphs/{graph}/runs:batch",
    status_code=202,
    operation_id="launch_batch",
    response_model_exclude_none=True,
    responses={
        200: {"model": BatchAnswer, "description": "Nothing new was started: all was refused, or started before"},
        **problems(*_ERRORS),
    },
)
def launch_batch(
    principal: RunWriter,
    graph: str,
    services: ServicesDep,
    state: StateDep,
    origin: OriginDep,
    response: Response,
    wanted: LaunchBatch,
    key: KeyHeader = None,
) -> BatchAnswer:
    """Launch up to 1,000 runs. Those that do not fit are named with their index and start nothing; the others start."""
    answer = launch_many(services, state.specs, principal, origin, graph, wanted, key)
    if not answer.accepted:
        response.status_code = 200
    return answer


def launch_many(
    services: Services,
    specs: SpecCache,
    principal: Principal,
    origin: Origin,
    reference: str,
    wanted: LaunchBatch,
    key: str | None,
) -> BatchAnswer:
    """Accept what fits, each once per idempotency key and index.

    Raises `GraphNotFound`, `IdempotencyKeyReused` and `Unavailable`; nothing was accepted then.
    """
    fingerprint = None if key is None else hashlib.sha256(wanted.model_dump_json().encode()).hexdigest()
    with transaction(services.engine) as connection:
        graph = find_graph(connection, principal, reference)
        batch = _Batch(connection, specs, graph, key, fingerprint, len(wanted.runs))
        results = batch.accept(wanted.runs, origin.deed(principal, Action.RUN_LAUNCHED))
    accepted = len(batch.new)
    services.metrics.accepted_runs.labels(TriggerKind.MANUAL).inc(accepted)
    refused = sum(run.error is not None for run in results)
    return BatchAnswer(
        graph=graph.name,
        accepted=accepted,
        repeated=len(results) - accepted - refused,
        refused=refused,
        runs=results,
    )


class _Batch:
    """One request on its way into the database."""

    def __init__(
        self,
        connection: Connection,
        specs: SpecCache,
        graph: Graph,
        key: str | None,
        fingerprint: str | None,
        size: int,
    ) -> None:
        self._connection = connection
        self._specs = specs
        self._graph = graph
        self._fingerprint = fingerprint
        self._keys = [None if key is None else f":batch:{key}:{index}" for index in range(size)]
        self.new: dict[int, str] = {}

    def accept(self, items: list[LaunchItem], deed: Deed) -> list[BatchRun]:
        earlier = self._earlier()
        # What was refused then is refused again, although the graph may have changed since.
        unpinned = (run.version for index, run in earlier.items() if items[index].version is None)
        current = next(unpinned, self._graph.version)
        prepared = {
            index: self._prepare(index, item, current) for index, item in enumerate(items) if index not in earlier
        }
        fitting = {index: run for index, run in prepared.items() if isinstance(run, NewRun)}
        started = accept_runs(self._connection, list(fitting.values()), self._graph.name, deed)
        self.new = {index: started[place] for place, index in enumerate(fitting) if place in started}
        if len(self.new) < len(fitting):
            earlier = self._earlier()  # the same request has come twice at once
        return [self._result(index, prepared.get(index), earlier) for index in range(len(items))]

    def _earlier(self) -> Mapping[int, EarlierRun]:
        keys = {key: index for index, key in enumerate(self._keys) if key is not None}
        found = runs_of_keys(self._connection, self._graph.id, list(keys)) if keys else {}
        for run in found.values():
            if run.request_sha256 != self._fingerprint:
                raise IdempotencyKeyReused("The key was used for another batch; use a new key.", run_id=run.run_id)
        return {keys[key]: run for key, run in found.items()}

    def _prepare(self, index: int, item: LaunchItem, current: int) -> NewRun | BatchRefusal:
        try:
            version = item.version or current
            new = new_run(
                Opened(self._graph, version, self._specs.spec(self._connection, self._graph.id, version)), item
            )
        except (InvalidParams, VersionNotFound) as error:
            return _refusal(index, error)
        return replace(new, idempotency_key=self._keys[index], request_sha256=self._fingerprint)

    def _result(
        self, index: int, prepared: NewRun | BatchRefusal | None, earlier: Mapping[int, EarlierRun]
    ) -> BatchRun:
        if isinstance(prepared, BatchRefusal):
            return BatchRun(index=index, error=prepared)
        if prepared is not None and index in self.new:
            return BatchRun(index=index, run_id=self.new[index], status=RunStatus.QUEUED, version=prepared.version)
        run = earlier[index]
        return BatchRun.model_validate(
            {"index": index, "run_id": run.run_id, "status": run.status, "version": run.version}
        )


def _refusal(index: int, error: HeadraceError) -> BatchRefusal:
    issues = None
    if isinstance(error, InvalidParams):
        issues = [{**issue, "path": f"/runs/{index}{issue['path']}"} for issue in error.issues]
    return BatchRefusal(code=error.code, detail=error.detail, issues=issues)
