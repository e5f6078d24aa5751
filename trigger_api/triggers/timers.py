"""What people do with timers: look ahead, start one now, and run a period of the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from graph_compiler.language.issues import Issue
from graph_compiler.language.schedule_trigger import ScheduleTrigger
from graph_compiler.triggers.fire_times import FireTimes
from graph_compiler.triggers.triggers import iso, schedule_data, tick_params
from platform_core.audit.entry import Deed
from platform_core.database.engine import Connection
from platform_core.errors import InvalidParams, NoTimes, TooManyTimes
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.graphs.graph_store import Graph
from platform_core.identity.auth import Principal
from platform_core.runs.run_store import NewRun, Run, accept_run, find_run, trigger_data_of
from platform_core.triggers import tick_store, timer_store
from platform_core.triggers.trigger_store import Trigger, get_trigger
from trigger_api.shared.graph_access import SpecCache
from trigger_api.triggers.schemas import Backfill

MAX_TIMES = 1_000
"""Times of one backfill."""
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Plan:
    """The times of a period and what is known of them; those to be run are `new`."""

    times: tuple[datetime, ...]
    statuses: Mapping[datetime, str]
    period: tuple[datetime, datetime]

    @property
    def new(self) -> list[datetime]:
        done = (tick_store.FIRED, tick_store.WAITING)
        return [time for time in self.times if self.statuses.get(time) not in done]


def find_timer(connection: Connection, graph: Graph, trigger_id: str) -> tuple[Trigger, ScheduleTrigger]:
    """The timer, stored and understood. Raises `TriggerNotFound`, `NoTimes`."""
    trigger = get_trigger(connection, graph.id, trigger_id)
    if trigger.type != TriggerKind.SCHEDULE:
        raise NoTimes(f"The trigger {trigger_id} is a {trigger.type}, it has no times.")
    return trigger, ScheduleTrigger.model_validate(trigger.config)


def next_times(timer: ScheduleTrigger, count: int) -> list[datetime]:
    """The next times, whether the timer is enabled or not."""
    return list(islice(FireTimes(timer).after(datetime.now(UTC)), count))


def fire(
    connection: Connection, specs: SpecCache, graph: Graph, trigger_id: str, key: str | None, deed: Deed
) -> tuple[Run, datetime, bool]:
    """Start the timer's run now, whatever else runs; whether it is new, or the run of an earlier request with this key.

    A run of an earlier request comes with the time that it was started for.

    Raises `TriggerNotFound`, `NoTimes`, `InvalidParams`.
    """
    # Callers' own keys never begin with a colon.
    own_key = None if key is None else f":fire:{trigger_id}:{key}"
    # Before the params are made: since the first request the graph may have changed, the answer may not.
    if own_key is not None and (first := find_run(connection, graph.id, own_key, None)) is not None:
        return first, _scheduled_at(connection, first), False
    trigger, timer = find_timer(connection, graph, trigger_id)
    timer_store.claim_timer(connection, graph.id, trigger_id)
    now = datetime.now(UTC)
    spec = specs.spec(connection, graph.id, graph.version)
    params, issues = tick_params(spec, timer, now, tick_store.FIRE)
    if issues:
        raise InvalidParams("The trigger's params do not fit the graph.", [issue.as_dict() for issue in issues])
    new = NewRun(
        graph_id=graph.id,
        version=graph.version,
        owner_id=graph.owner_id,
        params=params,
        trigger_kind=TriggerKind.SCHEDULE,
        trigger_id=trigger_id,
        trigger_data=schedule_data(now, tick_store.FIRE),
        priority=spec.settings.priority,
        idempotency_key=own_key,
    )
    run, is_new = accept_run(connection, new, deed)
    if is_new:
        tick_store.record_tick(
            connection, trigger.id, now, source=tick_store.FIRE, status=tick_store.FIRED, run_id=run.run_id
        )
    return run, now if is_new else _scheduled_at(connection, run), is_new


def _scheduled_at(connection: Connection, run: Run) -> datetime:
    return datetime.fromisoformat(trigger_data_of(connection, run.run_id)["scheduled_at"])


def plan_backfill(connection: Connection, trigger: Trigger, timer: ScheduleTrigger, wanted: Backfill) -> Plan:
    """The times of the period up to now. Raises `TooManyTimes`."""
    begin, end = timer.moment(wanted.from_), min(timer.moment(wanted.to), datetime.now(UTC))
    times = tuple(islice(FireTimes(timer).between(begin - _TICK, end - _TICK), MAX_TIMES + 1))
    if len(times) > MAX_TIMES:
        message = f"The period has more than {MAX_TIMES} times, from {iso(times[0])} to {iso(times[-1])} alone."
        raise TooManyTimes(message, [Issue("too_many_times", "/to", message, "take a shorter period").as_dict()])
    return Plan(times, tick_store.statuses_between(connection, trigger.id, times), (begin, end))


def start_backfill(
    connection: Connection, principal: Principal, trigger: Trigger, plan: Plan, max_parallel: int
) -> tuple[str, list[datetime]]:
    """Have the plan's times run, each at most once; the backfill's id and the times that were still to be run."""
    return tick_store.start_backfill(
        connection,
        trigger.id,
        plan.times,
        period=plan.period,
        max_parallel=max_parallel,
        created_by=principal.user_id,
    )
