"""Runs: accepted in one transaction, then read by everyone; what happens to them is written by the event storage."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Connection

from platform_core import channels
from platform_core.audit.audit_store import COLUMNS, GIVEN, bound
from platform_core.audit.entry import Deed, TargetKind
from platform_core.database.tables import JsonText, graphs, json_text, run_events, runs, users, waits
from platform_core.errors import IdempotencyKeyReused, RunEnded, RunNotFinished, RunNotFound, RunSucceeded
from platform_core.facts.run_ref import RunRef
from platform_core.facts.run_status import ENDED, RunStatus
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.runs.run_ending import cancel_unsubmitted
from platform_core.runs.run_event_store import RUN_QUEUED

FROM_FAILURE = "failure"
FROM_START = "start"
"""Where a retry begins that takes what its parent has done from there."""
LAUNCHED_BY = "headrace/launched_by"
"""Tag of a run that was launched in Dagster's UI: the name of the user."""


@dataclass(frozen=True)
class NewRun:
    """What is needed to accept a run; `params` are validated and complete, `trigger_data` is for templates."""

    graph_id: str
    version: int
    owner_id: str
    params: Mapping[str, Any]
    trigger_kind: TriggerKind
    trigger_id: str | None = None
    trigger_data: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    priority: int = 0
    idempotency_key: str | None = None
    request_sha256: str | None = None
    parent_run_id: str | None = None
    retry_from: str | None = None
    """Of a retry: `failure` takes the parent's stored values, `start` executes everything."""
    run_id: str | None = None
    """Of a run that had to have one before it was accepted, as for its files; else a new one is given."""


@dataclass(frozen=True, kw_only=True)
class Run(RunRef):
    """One execution of a graph version, as the HTTP interface shows it."""

    status: RunStatus
    trigger_kind: TriggerKind
    trigger_id: str | None
    params: dict[str, Any]
    tags: dict[str, str]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: dict[str, Any] | None
    outputs: dict[str, Any] | None
    last_seq: int
    parent_run_id: str | None = None
    wake_at: datetime | None = None
    """Of a run that waits: when it goes on."""

    @property
    def has_ended(self) -> bool:
        return self.status.is_end


def select_runs(*more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """A query of what everybody wants to know of runs, with the names of graph and owner, and `more` columns."""
    return (
        sa.select(
            runs.c.run_id,
            runs.c.graph_id,
            graphs.c.name.label("graph"),
            runs.c.version,
            runs.c.owner_id,
            users.c.name.label("owner"),
            runs.c.trigger_kind,
            runs.c.trigger_id,
            runs.c.params,
            runs.c.tags,
            runs.c.parent_run_id,
            *more,
        )
        .join(graphs, graphs.c.id == runs.c.graph_id)
        .join(users, users.c.id == runs.c.owner_id)
    )


SELECT_RUNS = select_runs(
    runs.c.status,
    runs.c.created_at,
    runs.c.started_at,
    runs.c.ended_at,
    runs.c.error,
    runs.c.outputs,
    runs.c.last_seq,
    runs.c.wake_at,
)
# Made once: to make a query of so many columns costs more than to ask it.
_RUN = SELECT_RUNS.where(runs.c.run_id == sa.bindparam("run_id"))
_ENDED_AMONG = SELECT_RUNS.where(
    runs.c.run_id == sa.any_(sa.bindparam("run_ids", type_=pg.ARRAY(sa.Text))), runs.c.status.in_(ENDED)
)
# One statement, so one round trip: the run unless its key is taken, its first event, who is to hear of it, and if a
# person asked for it, a row of the audit log.
_ACCEPT_TEXT = f"""
    WITH accepted AS (
        INSERT INTO headrace.runs (
            run_id, graph_id, version, owner_id, status, trigger_kind, trigger_id, trigger_data, params, tags,
            priority, idempotency_key, request_sha256, parent_run_id, retry_from, last_seq
        ) VALUES (
            :run_id, :graph_id, :version, :owner_id, '{RunStatus.QUEUED}', :trigger_kind, :trigger_id, :trigger_data,
            :params, :tags, :priority, :idempotency_key, :request_sha256, :parent_run_id, :retry_from, 1
        )
        ON CONFLICT (graph_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
        RETURNING run_id, graph_id, owner_id, created_at
    ), queued AS (
        INSERT INTO headrace.run_events (run_id, seq, ts, type, level, message, data)
        SELECT run_id, 1, created_at, '{RUN_QUEUED}', 'info', 'The run was accepted.', :event_data FROM accepted
    )
    {{audited}}
    SELECT accepted.created_at, graphs.name, users.name,
        pg_notify('{channels.QUEUE}', run_id), pg_notify('{channels.EVENTS}', run_id || '\\:1')
    FROM accepted
    JOIN headrace.graphs ON graphs.id = accepted.graph_id
    JOIN headrace.users ON users.id = accepted.owner_id
    """  # noqa: S608 - only constants of ours are put in
_AUDITED = f"""
    , audited AS (
        INSERT INTO headrace.audit ({COLUMNS})
        SELECT {GIVEN}, '{TargetKind.RUN}', accepted.run_id, graphs.name, accepted.owner_id, :after
        FROM accepted JOIN headrace.graphs ON graphs.id = accepted.graph_id
    )
    """  # noqa: S608 - only constants of ours are put in
_JSON = ("trigger_data", "params", "tags", "event_data")
_ACCEPT, _ACCEPT_AUDITED = (
    sa.text(_ACCEPT_TEXT.format(audited=part)).bindparams(*(sa.bindparam(name, type_=JsonText()) for name in _JSON))
    for part in ("", _AUDITED)
)


def accept_run(connection: Connection, new: NewRun, deed: Deed | None = None) -> tuple[Run, bool]:
    """Store a run so that it will be executed exactly once, whatever crashes after the commit.

    `deed` is for the audit log, of a run that a person asked for.

    Returns the run and whether it is new: the same idempotency key with the same request answers with the first run.
    Raises `IdempotencyKeyReused` when the key came with another request before.
    """
    run_id = new.run_id or str(uuid.uuid4())
    statement, values = (_ACCEPT, {}) if deed is None else (_ACCEPT_AUDITED, {**bound(deed), "after": _facts(new)})
    row = connection.execute(statement, {**_values(new, run_id), **values}).first()
    if row is None:
        first = find_run(connection, new.graph_id, new.idempotency_key, new.request_sha256)
        assert first is not None
        return first, False
    created_at, graph, owner, *_ = row
    run = Run(
        run_id=run_id,
        graph_id=new.graph_id,
        graph=graph,
        version=new.version,
        owner_id=new.owner_id,
        owner=owner,
        status=RunStatus.QUEUED,
        trigger_kind=new.trigger_kind,
        trigger_id=new.trigger_id,
        params=dict(new.params),
        tags=dict(new.tags),
        created_at=created_at,
        started_at=None,
        ended_at=None,
        error=None,
        outputs=None,
        last_seq=1,
        parent_run_id=new.parent_run_id,
    )
    return run, True


def run_facts(version: int, trigger: str | None, parent: str | None, start: str | None) -> dict[str, Any]:
    """What the audit log says of a new run: for a retry also the run before, and from where."""
    facts = {"version": version, "trigger": trigger, "parent": parent, "from": start}
    return {name: fact for name, fact in facts.items() if fact is not None}


def _facts(new: NewRun) -> str | None:
    return json_text(run_facts(new.version, new.trigger_id, new.parent_run_id, new.retry_from))


def _values(new: NewRun, run_id: str) -> dict[str, Any]:
    given = {field.name: getattr(new, field.name) for field in dataclasses.fields(new)}
    return {**given, "run_id": run_id, "event_data": {"trigger": new.trigger_kind}}


def find_run(
    connection: Connection, graph_id: str, idempotency_key: str | None, request_sha256: str | None
) -> Run | None:
    """The run that the same request was answered with before, if any. Raises `IdempotencyKeyReused`."""
    condition = sa.and_(runs.c.graph_id == graph_id, runs.c.idempotency_key == idempotency_key)
    first = connection.execute(sa.select(runs.c.run_id, runs.c.request_sha256).where(condition)).first()
    if first is None:
        return None
    if first.request_sha256 != request_sha256:
        raise IdempotencyKeyReused(
            f"Idempotency key {idempotency_key!r} was used for another request; use a new key.",
            run_id=first.run_id,
        )
    return get_run(connection, first.run_id)


def known_runs(connection: Connection, run_ids: Sequence[str]) -> set[str]:
    """Those of the ids that are runs."""
    return set(connection.scalars(sa.select(runs.c.run_id).where(runs.c.run_id.in_(run_ids))))


def trigger_data_of(connection: Connection, run_id: str) -> dict[str, Any]:
    """What the run keeps of what started it. Raises `RunNotFound`."""
    found = connection.execute(sa.select(runs.c.trigger_data).where(runs.c.run_id == run_id)).first()
    if found is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return dict(found.trigger_data or {})


def announce(connection: Connection, run_id: str, trigger_kind: TriggerKind) -> None:
    """Write the first event of a new run and wake who waits for it; in the transaction that makes the run."""
    connection.execute(
        run_events.insert().values(
            run_id=run_id,
            seq=1,
            ts=sa.func.clock_timestamp(),
            type=RUN_QUEUED,
            level="info",
            message="The run was accepted.",
            data={"trigger": trigger_kind},
        )
    )
    notify = sa.select(sa.func.pg_notify(channels.QUEUE, run_id), sa.func.pg_notify(channels.EVENTS, f"{run_id}:1"))
    connection.execute(notify)


def get_run(connection: Connection, run_id: str) -> Run:
    """The run. Raises `RunNotFound`."""
    row = connection.execute(_RUN, {"run_id": run_id}).first()
    if row is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return Run(**row._mapping)


@dataclass(frozen=True)
class RunWait:
    """What a run waits for: a time, an event or an approval (`kind`)."""

    node: str
    item: int | None
    until: datetime
    kind: str


def waits_of(connection: Connection, run: Run) -> list[RunWait]:
    """What the run, which has not ended, waits for: the earliest first. Times only if it is WAITING."""
    query = sa.select(waits.c.node, waits.c.item, waits.c.until, waits.c.kind).where(waits.c.run_id == run.run_id)
    query = query.where(waits.c.answered_at.is_(None), waits.c.closed_at.is_(None))
    if run.status is not RunStatus.WAITING:
        query = query.where(waits.c.kind != "time")
    return [RunWait(**row._mapping) for row in connection.execute(query.order_by(waits.c.until, waits.c.node))]


def retry_of(connection: Connection, parent: Run, start: str) -> NewRun:
    """A new run of the same version with the same params. Raises `RunNotFinished`, `RunSucceeded`.

    `start` is `failure`: what succeeded is not executed again; or `start`.
    """
    if not parent.has_ended:
        raise RunNotFinished(f"Run {parent.run_id} is {parent.status}; only ended runs are retried.")
    if start == FROM_FAILURE and parent.status == RunStatus.SUCCESS:
        raise RunSucceeded(f"Run {parent.run_id} succeeded; there is no failure to retry from.")
    columns = (runs.c.trigger_kind, runs.c.trigger_id, runs.c.trigger_data, runs.c.priority)
    row = connection.execute(sa.select(*columns).where(runs.c.run_id == parent.run_id)).one()
    return NewRun(
        graph_id=parent.graph_id,
        version=parent.version,
        owner_id=parent.owner_id,
        params=parent.params,
        tags={key: value for key, value in parent.tags.items() if key != LAUNCHED_BY},
        parent_run_id=parent.run_id,
        retry_from=start,
        **row._mapping,
    )


def request_cancel(connection: Connection, run_id: str) -> Run:
    """End a run that waits; ask the daemon to cancel one that does not, where asking again changes nothing.

    Raises `RunNotFound`, `RunEnded`.
    """
    run = get_run(connection, run_id)
    if run.has_ended:
        raise RunEnded(f"Run {run_id} has ended with {run.status}; there is nothing to cancel.")
    if cancel_unsubmitted(connection, run_id):
        return get_run(connection, run_id)
    connection.execute(
        runs.update()
        .where(runs.c.run_id == run_id, runs.c.cancel_requested_at.is_(None))
        .values(cancel_requested_at=sa.func.clock_timestamp())
    )
    connection.execute(sa.select(sa.func.pg_notify(channels.QUEUE, run_id)))
    return run


def cancel_open(connection: Connection, run_ids: Sequence[str]) -> None:
    """Ask the daemon to cancel those of the runs that have not ended."""
    wanted = sa.and_(runs.c.run_id.in_(run_ids), runs.c.ended_at.is_(None), runs.c.cancel_requested_at.is_(None))
    connection.execute(runs.update().where(wanted).values(cancel_requested_at=sa.func.clock_timestamp()))
    for run_id in run_ids:
        connection.execute(sa.select(sa.func.pg_notify(channels.QUEUE, run_id)))


@dataclass(frozen=True, slots=True)
class RunStanding:
    """When a run came, and the number of its last event."""

    run_id: str
    created_at: datetime
    last_seq: int


def runs_since(
    connection: Connection, since: datetime, *, owner_id: str | None = None, graph_id: str | None = None
) -> list[RunStanding]:
    """Every run of the owner or the graph that was created after `since`, the oldest first."""
    return _standings(connection, runs.c.created_at > since, owner_id, graph_id)


def unended_runs(
    connection: Connection, *, owner_id: str | None = None, graph_id: str | None = None
) -> list[RunStanding]:
    """Every run of the owner or the graph that has not ended, the oldest first."""
    unended = sa.and_(runs.c.ended_at.is_(None), runs.c.status.not_in(ENDED))  # the first has an index
    return _standings(connection, unended, owner_id, graph_id)


def runs_among(
    connection: Connection, run_ids: Sequence[str], *, owner_id: str | None = None, graph_id: str | None = None
) -> list[RunStanding]:
    """Those of the runs that are there and belong to the owner or the graph."""
    # One array instead of a placeholder for each: a statement may have 65,535 of those.
    named = runs.c.run_id == sa.any_(sa.literal(list(run_ids), sa.ARRAY(sa.Text)))
    return _standings(connection, named, owner_id, graph_id)


def _standings(
    connection: Connection, wanted: sa.ColumnElement[bool], owner_id: str | None, graph_id: str | None
) -> list[RunStanding]:
    belongs = runs.c.owner_id == owner_id if graph_id is None else runs.c.graph_id == graph_id
    query = sa.select(runs.c.run_id, runs.c.created_at, runs.c.last_seq).where(wanted, belongs)
    ordered = query.order_by(runs.c.created_at, runs.c.run_id)
    return [RunStanding(row.run_id, row.created_at, row.last_seq) for row in connection.execute(ordered)]


def present_time(connection: Connection) -> datetime:
    """The database's clock, by which runs are dated."""
    moment = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    assert isinstance(moment, datetime)
    return moment


def ended_among(connection: Connection, run_ids: Sequence[str]) -> list[Run]:
    """Those of the runs that have ended."""
    return [Run(**row._mapping) for row in connection.execute(_ENDED_AMONG, {"run_ids": list(run_ids)})]


def last_seqs(connection: Connection, run_ids: Sequence[str]) -> dict[str, int]:
    """The number of the last event of each run."""
    query = sa.select(runs.c.run_id, runs.c.last_seq).where(runs.c.run_id.in_(run_ids))
    return {row.run_id: row.last_seq for row in connection.execute(query)}
