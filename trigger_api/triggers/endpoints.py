"""The triggers of a graph: listed and switched; timers are looked at, started now and run for the past."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response

from graph_compiler.triggers.triggers import iso
from graph_compiler.values.model import TRIGGER_ID
from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Deed
from platform_core.database.engine import Connection
from platform_core.errors import (
    BadCursor,
    GraphNotFound,
    InvalidParams,
    InvalidRequest,
    NoTimes,
    TooManyTimes,
    TriggerNotFound,
    Unavailable,
)
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.graphs.graph_store import Graph
from platform_core.limits import DEFAULT_PAGE
from platform_core.triggers import tick_store, timer_store
from platform_core.triggers.trigger_store import Trigger, get_trigger
from platform_core.triggers.trigger_store import list_triggers as stored_triggers
from platform_core.web.dependencies import (
    AUTH_ERRORS,
    ConnectionDep,
    CursorQuery,
    GraphReader,
    LimitQuery,
    RunWriter,
    ServicesDep,
)
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.live.state import StateDep
from trigger_api.shared.graph_access import find_graph, trigger_target
from trigger_api.shared.links import Links, LinksDep
from trigger_api.shared.schemas import PageOf
from trigger_api.triggers import timers
from trigger_api.triggers.schemas import (
    Backfill,
    BackfillAnswer,
    BackfillTime,
    FireAnswer,
    TickAnswer,
    TickStatus,
    TimeAnswer,
    TriggerAnswer,
)

router = APIRouter(prefix="/api/v1/graphs/{graph}/triggers", tags=["triggers"], route_class=StrictJsonRoute)

_ERRORS = (*AUTH_ERRORS, GraphNotFound, InvalidRequest, Unavailable)
_TIMER_ERRORS = (*_ERRORS, TriggerNotFound, NoTimes)
_TriggerId = Annotated[str, Path(pattern=TRIGGER_ID)]
_Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-9;-~][!-~]{0,99}$",
        description="The same key is answered with the first run.",
    ),
]


@router.get("", operation_id="list_triggers", responses=problems(*_ERRORS))
def list_triggers(
    principal: GraphReader, connection: ConnectionDep, graph: str, links: LinksDep
) -> PageOf[TriggerAnswer]:
    """List the triggers of the graph's current version; one page holds them all."""
    found = stored_triggers(connection, find_graph(connection, principal, graph).id)
    return PageOf(items=[_answer(connection, trigger, links) for trigger in found], next_cursor=None)


@router.post("/{trigger}/enable", operation_id="enable_trigger", responses=problems(*_ERRORS, TriggerNotFound))
def enable_trigger(
    principal: RunWriter,
    connection: ConnectionDep,
    origin: OriginDep,
    graph: str,
    trigger: _TriggerId,
    links: LinksDep,
) -> TriggerAnswer:
    """Switch a trigger on; a timer begins now, with nothing of the time it was off."""
    deed = origin.deed(principal, Action.TRIGGER_ENABLED)
    return _switch(connection, find_graph(connection, principal, graph), trigger, links, deed)


@router.post("/{trigger}/disable", operation_id="disable_trigger", responses=problems(*_ERRORS, TriggerNotFound))
def disable_trigger(
    principal: RunWriter,
    connection: ConnectionDep,
    origin: OriginDep,
    graph: str,
    trigger: _TriggerId,
    links: LinksDep,
) -> TriggerAnswer:
    """Switch a trigger off until it is switched on again, through all versions of its graph."""
    deed = origin.deed(principal, Action.TRIGGER_DISABLED)
    return _switch(connection, find_graph(connection, principal, graph), trigger, links, deed)


def _switch(connection: Connection, graph: Graph, name: str, links: Links, deed: Deed) -> TriggerAnswer:
    trigger, is_on = get_trigger(connection, graph.id, name), deed.action is Action.TRIGGER_ENABLED
    timer_store.switch_trigger(connection, trigger.id, is_on)
    target, before = trigger_target(graph, name), {"enabled": trigger.enabled}
    record(connection, deed.author, deed.action, target, before=before, after={"enabled": is_on})
    return _answer(connection, get_trigger(connection, trigger.graph_id, trigger.trigger_id), links)


def _answer(connection: Connection, trigger: Trigger, links: Links) -> TriggerAnswer:
    answer = TriggerAnswer.of(trigger, links)
    return answer.held() if timer_store.is_held(connection, trigger.id) else answer


@router.post(
    "/{trigger}/fire",
    status_code=202,
    operation_id="fire_trigger",
    responses={
        200: {"model": FireAnswer, "description": "The run of an earlier request with this key"},
        **problems(*_TIMER_ERRORS, InvalidParams),
    },
)
def fire_trigger(
    principal: RunWriter,
    connection: ConnectionDep,
    services: ServicesDep,
    state: StateDep,
    origin: OriginDep,
    graph: str,
    trigger: _TriggerId,
    links: LinksDep,
    response: Response,
    key: _Key = None,
) -> FireAnswer:
    """Start a timer's run now, whether it is enabled or not and whatever runs already."""
    found = find_graph(connection, principal, graph)
    run, time, is_new = timers.fire(
        connection, state.specs, found, trigger, key, origin.deed(principal, Action.TRIGGER_FIRED)
    )
    if is_new:
        services.metrics.accepted_runs.labels(TriggerKind.SCHEDULE).inc()
    else:
        response.status_code = 200
    answer: dict[str, Any] = {"run_id": run.run_id, "status": run.status, "graph": run.graph, "version": run.version}
    return FireAnswer(**answer, scheduled_at=iso(time), links=links.run(run.run_id))


@router.get("/{trigger}/next", operation_id="list_next_times", responses=problems(*_TIMER_ERRORS))
def list_next_times(
    principal: GraphReader,
    connection: ConnectionDep,
    graph: str,
    trigger: _TriggerId,
    n: Annotated[int, Query(ge=1, le=100, description="How many.")] = 5,
) -> PageOf[TimeAnswer]:
    """List the next times of a timer, as if it were enabled; without its jitter."""
    _, timer = timers.find_timer(connection, find_graph(connection, principal, graph), trigger)
    return PageOf(items=[TimeAnswer.of(time, timer) for time in timers.next_times(timer, n)], next_cursor=None)


@router.get("/{trigger}/ticks", operation_id="list_ticks", responses=problems(*_TIMER_ERRORS, BadCursor))
def list_ticks(
    principal: GraphReader,
    connection: ConnectionDep,
    graph: str,
    trigger: _TriggerId,
    status: Annotated[TickStatus | None, Query()] = None,
    limit: LimitQuery = DEFAULT_PAGE,
    cursor: CursorQuery = None,
) -> PageOf[TickAnswer]:
    """List what became of a timer's times, the newest first."""
    stored, _ = timers.find_timer(connection, find_graph(connection, principal, graph), trigger)
    page = tick_store.list_ticks(connection, stored.id, status=status, limit=limit, cursor=cursor)
    return PageOf(items=[TickAnswer.of(tick) for tick in page.items], next_cursor=page.next_cursor)


@router.post(
    "/{trigger}/backfill",
    operation_id="backfill_trigger",
    responses={
        202: {"model": BackfillAnswer, "description": "The times were accepted and run one after the other"},
        **problems(*_TIMER_ERRORS, TooManyTimes),
    },
)
def backfill_trigger(
    principal: RunWriter,
    connection: ConnectionDep,
    origin: OriginDep,
    graph: str,
    trigger: _TriggerId,
    wanted: Backfill,
    response: Response,
) -> BackfillAnswer:
    """Run the times of a period that did not run yet; a time that fired, or waits, is left alone."""
    found = find_graph(connection, principal, graph)
    stored, timer = timers.find_timer(connection, found, trigger)
    timer_store.claim_timer(connection, stored.graph_id, trigger)
    plan = timers.plan_backfill(connection, stored, timer, wanted)
    backfill_id, new = None, plan.new
    if not wanted.dry_run:
        backfill_id, new = timers.start_backfill(connection, principal, stored, plan, wanted.max_parallel)
        after = {"backfill": backfill_id, "from": iso(plan.period[0]), "to": iso(plan.period[1]), "times": len(new)}
        target = trigger_target(found, trigger)
        record(connection, origin.author(principal), Action.TRIGGER_BACKFILLED, target, after=after)
        response.status_code = 202
    running = set(new)
    return BackfillAnswer(
        backfill_id=backfill_id,
        dry_run=wanted.dry_run,
        max_parallel=wanted.max_parallel,
        count=len(running),
        times=[
            BackfillTime(time=iso(time), runs=time in running, status=plan.statuses.get(time)) for time in plan.times
        ],
    )
