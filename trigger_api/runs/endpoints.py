"""Runs: launched, awaited, listed, read and canceled."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Target, TargetKind
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
from platform_core.facts.run_status import RunStatus
from platform_core.limits import DEFAULT_PAGE
from platform_core.runs import run_store
from platform_core.runs.queue_store import positions
from platform_core.runs.run_list import list_runs as stored_runs
from platform_core.runs.run_store import Run
from platform_core.web.dependencies import (
    AUTH_ERRORS,
    ConnectionDep,
    CursorQuery,
    LimitQuery,
    RunReader,
    RunWriter,
    RunWriterCredentials,
    ServicesDep,
)
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.live.state import StateDep
from trigger_api.runs import uploads
from trigger_api.runs.answering import WaitQuery, answer_launch, launch_answer
from trigger_api.runs.filters import FilterDep
from trigger_api.runs.keys import KeyHeader
from trigger_api.runs.launching import LauncherDep, Once
from trigger_api.runs.schemas import Launch, LaunchAnswer, OneRunAnswer, OutputsAnswer, Retry, RunAnswer
from trigger_api.shared.links import LinksDep
from trigger_api.shared.run_access import RunIdPath, visible_run
from trigger_api.shared.schemas import PageOf

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=StrictJsonRoute)

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable)


@router.post(
    "/graphs/{graph}/runs",
    status_code=202,
    operation_id="launch_run",
    response_model=LaunchAnswer,
    response_model_exclude_unset=True,
    responses={
        200: {"model": LaunchAnswer, "description": "Ended in time, or the run of an earlier request with this key"},
        **problems(*_ERRORS, BadRequest, GraphNotFound, VersionNotFound, InvalidParams, IdempotencyKeyReused),
    },
    openapi_extra={"requestBody": {"content": uploads.BODY}},
)
async def launch_run(
    credentials: RunWriterCredentials,
    graph: str,
    services: ServicesDep,
    state: StateDep,
    links: LinksDep,
    launcher: LauncherDep,
    origin: OriginDep,
    wanted: Launch | None = None,
    key: KeyHeader = None,
    wait: WaitQuery = None,
) -> Response:
    """Launch a run. It is durable once this answers."""
    wanted = wanted or Launch()
    launched = await run_in_threadpool(
        launcher.launch, credentials.principal, origin, graph, wanted, Once.of(key, wanted)
    )
    response = Response(status_code=202, media_type="application/json")
    answer = await answer_launch(launched, services, state, links, response, wait)
    # As it is, since it was made of what was checked.
    return Response(answer.model_dump_json(exclude_unset=True), response.status_code, media_type=response.media_type)


@router.get("/runs", operation_id="list_runs", responses=problems(*_ERRORS, GraphNotFound, BadCursor))
def list_runs(
    principal: RunReader,
    connection: ConnectionDep,
    links: LinksDep,
    wanted: FilterDep,
    limit: LimitQuery = DEFAULT_PAGE,
    cursor: CursorQuery = None,
) -> PageOf[RunAnswer]:
    """List the caller's runs, the newest first; an administrator's list has everybody's. Filters hold together."""
    page = stored_runs(connection, wanted.resolved(connection, principal), limit=limit, cursor=cursor)
    places = _positions(connection, page.items)
    items = [RunAnswer.of(run, links, places.get(run.run_id)) for run in page.items]
    return PageOf(items=items, next_cursor=page.next_cursor)


@router.get("/runs/{run_id}", operation_id="get_run", responses=problems(*_ERRORS, RunNotFound))
def get_run(principal: RunReader, connection: ConnectionDep, run_id: RunIdPath, links: LinksDep) -> OneRunAnswer:
    """Get a run."""
    run = visible_run(connection, principal, run_id)
    waits = [] if run.has_ended else run_store.waits_of(connection, run)
    return OneRunAnswer.with_waits(run, links, _positions(connection, [run]).get(run_id), waits)


@router.get(
    "/runs/{run_id}/outputs", operation_id="get_outputs", responses=problems(*_ERRORS, RunNotFound, RunNotFinished)
)
def get_outputs(principal: RunReader, connection: ConnectionDep, run_id: RunIdPath, links: LinksDep) -> OutputsAnswer:
    """Get what an ended run answered, and where its files are."""
    run = visible_run(connection, principal, run_id)
    if not run.has_ended:
        raise RunNotFinished(f"Run {run_id} is {run.status}; it has no outputs yet.", run_status=run.status)
    return OutputsAnswer.of(run, links)


@router.post(
    "/runs/{run_id}/cancel",
    status_code=202,
    operation_id="cancel_run",
    responses=problems(*_ERRORS, RunNotFound, RunEnded),
)
def cancel_run(
    principal: RunWriter, connection: ConnectionDep, origin: OriginDep, run_id: RunIdPath, links: LinksDep
) -> RunAnswer:
    """Cancel a run. A waiting run has ended when this answers, an executing one ends soon; asking again is safe."""
    before = visible_run(connection, principal, run_id)
    run = run_store.request_cancel(connection, run_id)
    target = Target(TargetKind.RUN, run_id, run.graph, run.owner_id)
    author = origin.author(principal)
    record(connection, author, Action.RUN_CANCELED, target, before={"status": before.status})
    return RunAnswer.of(run, links)


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
    launcher: LauncherDep,
    origin: OriginDep,
    run_id: RunIdPath,
    links: LinksDep,
    response: Response,
    wanted: Retry | None = None,
    key: KeyHeader = None,
) -> LaunchAnswer:
    """Run an ended run's graph version again, with its params; the new run names the old one as its parent."""
    launched = launcher.retry(principal, origin, run_id, (wanted or Retry()).from_, key)
    if not launched.is_new:
        response.status_code = 200
    return launch_answer(launched.run, launched, links)


def _positions(connection: Connection, runs: Iterable[Run]) -> dict[str, int]:
    return positions(connection, [run.run_id for run in runs if run.status == RunStatus.QUEUED])
