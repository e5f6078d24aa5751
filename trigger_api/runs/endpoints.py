"""Runs: launched, awaited, listed, read and cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from starlette.concurrency import run_in_threadpool

from platform_core.database.engine import Connection
from platform_core.errors import (
    BadCursor,
    BadRequest,
    GraphNotFound,
    IdempotencyKeyReused,
    InvalidParams,
    InvalidRequest,
    RunEnded,
    RunNotFinished,
    RunNotFound,
    RunSucceeded,
    Unavailable,
    VersionNotFound,
)
from platform_core.identity.auth import Principal
from platform_core.runs import run_store
from platform_core.runs.queue_store import positions
from platform_core.runs.run_store import Run
from platform_core.web.dependencies import (
    AUTH_ERRORS,
    ConnectionDep,
    CursorQuery,
    LimitQuery,
    RunReader,
    RunWriter,
    ServicesDep,
)
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.live.state import StateDep
from trigger_api.runs import uploads
from trigger_api.runs.answering import WaitQuery, answer_launch, launch_answer
from trigger_api.runs.keys import KeyHeader
from trigger_api.runs.launching import launch, retry
from trigger_api.runs.schemas import Launch, LaunchAnswer, OutputsAnswer, Retry, RunAnswer, Status
from trigger_api.shared.graph_access import find_graph
from trigger_api.shared.links import LinksDep
from trigger_api.shared.schemas import PageOf

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=StrictJsonRoute)

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable)
_RunId = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9-]+$")]


@router.post(
    "/graphs/{graph}/runs",
    status_code=202,
    operation_id="launch_run",
    response_model_exclude_unset=True,
    responses={
        200: {"model": LaunchAnswer, "description": "Ended in time, or the run of an earlier request with this key"},
        **problems(*_ERRORS, BadRequest, GraphNotFound, VersionNotFound, InvalidParams, IdempotencyKeyReused),
    },
    openapi_extra={"requestBody": {"content": uploads.BODY}},
)
async def launch_run(
    principal: RunWriter,
    graph: str,
    services: ServicesDep,
    state: StateDep,
    links: LinksDep,
    response: Response,
    wanted: Launch | None = None,
    key: KeyHeader = None,
    wait: WaitQuery = None,
) -> LaunchAnswer:
    """Launch a run. It is durable once this answers."""
    launched = await run_in_threadpool(launch, services, state.specs, principal, graph, wanted or Launch(), key)
    return await answer_launch(launched, services, state, links, response, wait)


@router.get("/runs", operation_id="list_runs", responses=problems(*_ERRORS, GraphNotFound, BadCursor))
def list_runs(
    principal: RunReader,
    connection: ConnectionDep,
    links: LinksDep,
    status: Annotated[Status | None, Query()] = None,
    graph: Annotated[str | None, Query(description="Name or id of a graph.")] = None,
    limit: LimitQuery = 50,
    cursor: CursorQuery = None,
) -> PageOf[RunAnswer]:
    """List the caller's runs, the newest first; an administrator's list has everybody's."""
    page = run_store.list_runs(
        connection,
        owner_id=None if principal.is_admin else principal.user_id,
        graph_id=None if graph is None else find_graph(connection, principal, graph).id,
        status=status,
        limit=limit,
        cursor=cursor,
    )
    places = _positions(connection, page.items)
    items = [RunAnswer.of(run, links, places.get(run.run_id)) for run in page.items]
    return PageOf(items=items, next_cursor=page.next_cursor)


@router.get("/runs/{run_id}", operation_id="get_run", responses=problems(*_ERRORS, RunNotFound))
def get_run(principal: RunReader, connection: ConnectionDep, run_id: _RunId, links: LinksDep) -> RunAnswer:
    """Get a run."""
    run = _visible(connection, principal, run_id)
    return RunAnswer.of(run, links, _positions(connection, [run]).get(run_id))


@router.get(
    "/runs/{run_id}/outputs", operation_id="get_outputs", responses=problems(*_ERRORS, RunNotFound, RunNotFinished)
)
def get_outputs(principal: RunReader, connection: ConnectionDep, run_id: _RunId) -> OutputsAnswer:
    """Get what an ended run answered."""
    run = _visible(connection, principal, run_id)
    if not run.has_ended:
        raise RunNotFinished(f"Run {run_id} is {run.status}; it has no outputs yet.", run_status=run.status)
    return OutputsAnswer.of(run)


@router.post(
    "/runs/{run_id}/cancel",
    status_code=202,
    operation_id="cancel_run",
    responses=problems(*_ERRORS, RunNotFound, RunEnded),
)
def cancel_run(principal: RunWriter, connection: ConnectionDep, run_id: _RunId, links: LinksDep) -> RunAnswer:
    """Cancel a run. One that waits has ended with this answer; one that is executed will, and may be asked again."""
    _visible(connection, principal, run_id)
    return RunAnswer.of(run_store.request_cancel(connection, run_id), links)


@router.post(
    "/runs/{run_id}/retry",
    status_code=202,
    operation_id="retry_run",
    response_model_exclude_unset=True,
    responses={
        200: {"model": LaunchAnswer, "description": "The run of an earlier request with this key"},
        **problems(*_ERRORS, RunNotFound, RunNotFinished, RunSucceeded, IdempotencyKeyReused),
    },
)
def retry_run(
    principal: RunWriter,
    services: ServicesDep,
    run_id: _RunId,
    links: LinksDep,
    response: Response,
    wanted: Retry | None = None,
    key: KeyHeader = None,
) -> LaunchAnswer:
    """Run an ended run's graph version again, with its params; the new run names the old one as its parent."""
    launched = retry(services, principal, run_id, (wanted or Retry()).from_, key)
    if not launched.is_new:
        response.status_code = 200
    return launch_answer(launched.run, launched, links)


def _positions(connection: Connection, runs: Iterable[Run]) -> dict[str, int]:
    return positions(connection, [run.run_id for run in runs if run.status == run_store.QUEUED])


def _visible(connection: Connection, principal: Principal, run_id: str) -> Run:
    """The run, if it exists for this principal. Raises `RunNotFound`."""
    run = run_store.get_run(connection, run_id)
    if not principal.may_see(run.owner_id):
        raise RunNotFound(f"There is no run {run_id}.")
    return run
