"""What runs wait for from outside, calls and people, and how that is answered: once, and before its time is over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Connection

from platform_core import channels
from platform_core.database.pagination import Page, decode_cursor, encode_cursor
from platform_core.database.tables import graphs, runs, users, waits
from platform_core.errors import WaitAnswered, WaitExpired, WaitNotFound
from platform_core.facts.run_status import RunStatus
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.runs.run_store import LAUNCHED_BY

APPROVAL, EVENT, TIME = "approval", "event", "time"


@dataclass(frozen=True)
class OpenWait:
    """What a run waits for; `asked` has the schema of the answer, the message, and who may answer."""

    id: int
    run_id: str
    node: str
    kind: str
    until: datetime
    asked: Mapping[str, Any]
    graph: str
    owner_id: str
    owner: str
    starter: str | None
    """The name of who started the run, if a person did."""


@dataclass(frozen=True)
class GivenAnswer:
    """What was answered, when and by whom."""

    at: datetime
    value: Any
    by: str | None
    approves: bool


_IN_DAGSTERS_UI = sa.cast(runs.c.tags, pg.JSON)[LAUNCHED_BY].astext
_STARTER = sa.func.coalesce(_IN_DAGSTERS_UI, sa.case((runs.c.trigger_kind == TriggerKind.MANUAL, users.c.name)))
_WAITS = (
    sa.select(
        *(waits.c.id, waits.c.run_id, waits.c.node, waits.c.kind, waits.c.until, waits.c.asked),
        *(graphs.c.name.label("graph"), runs.c.owner_id, users.c.name.label("owner"), _STARTER.label("starter")),
    )
    .join(runs, runs.c.run_id == waits.c.run_id)
    .join(graphs, graphs.c.id == runs.c.graph_id)
    .join(users, users.c.id == runs.c.owner_id)
)
_IS_OPEN = sa.and_(
    waits.c.kind != TIME,
    waits.c.answered_at.is_(None),
    waits.c.closed_at.is_(None),
    waits.c.until > sa.func.clock_timestamp(),
)


def token_hash(token: str) -> bytes:
    """What is kept of the token in an address: it is 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(token.encode()).digest()


def wait_of_token(connection: Connection, token: str) -> OpenWait:
    """The wait for an event at this address, whatever became of it. Raises `WaitNotFound`."""
    return _found(connection, waits.c.token_hash == token_hash(token))


def wait_of_node(connection: Connection, run_id: str, node: str) -> OpenWait:
    """What the node of the run waits for, or waited for last. Raises `WaitNotFound`."""
    return _found(connection, sa.and_(waits.c.run_id == run_id, waits.c.node == node, waits.c.kind != TIME))


def _found(connection: Connection, wanted: sa.ColumnElement[bool]) -> OpenWait:
    row = connection.execute(_WAITS.where(wanted).order_by(waits.c.id.desc()).limit(1)).first()
    if row is None:
        raise WaitNotFound("Nothing waits here.")
    return OpenWait(**row._mapping)


def give_answer(
    connection: Connection, wait: OpenWait, value: Any, *, by: str | None = None, approves: bool | None = None
) -> None:
    """Store the answer, and let the run go on if it has no worker. Raises `WaitAnswered`, `WaitExpired`.

    Of two at the same instant the second waits for the first's row, and finds it answered.
    """
    unended = sa.exists().where(runs.c.run_id == waits.c.run_id, runs.c.ended_at.is_(None))
    answered = waits.update().where(waits.c.id == wait.id, _IS_OPEN, unended)
    given = {"answered_at": sa.func.clock_timestamp(), "answer": value, "answered_by": by, "approves": approves}
    if not connection.execute(answered.values(given)).rowcount:
        before = connection.execute(sa.select(waits.c.answered_at).where(waits.c.id == wait.id)).scalar()
        if before is not None:
            raise WaitAnswered("This was answered before, and the first answer counts.", answered_at=before.isoformat())
        raise WaitExpired("Nobody waits for this answer any more: its time is over, or the run has ended.")
    now = sa.func.clock_timestamp()
    asleep = sa.and_(runs.c.run_id == wait.run_id, runs.c.status == RunStatus.WAITING, runs.c.wake_at > now)
    connection.execute(runs.update().where(asleep).values(wake_at=now))
    connection.execute(sa.select(sa.func.pg_notify(channels.QUEUE, wait.run_id)))


def answers_of(connection: Connection, run_id: str, steps: Sequence[str]) -> dict[str, GivenAnswer]:
    """What these steps of the run have been answered."""
    columns = (waits.c.step, waits.c.answered_at, waits.c.answer, waits.c.answered_by, waits.c.approves)
    named = waits.c.step == sa.any_(sa.literal(list(steps), sa.ARRAY(sa.Text)))
    query = sa.select(*columns).where(waits.c.run_id == run_id, named, waits.c.answered_at.is_not(None))
    rows = connection.execute(query)
    return {row.step: GivenAnswer(row.answered_at, row.answer, row.answered_by, bool(row.approves)) for row in rows}


def close_wait(connection: Connection, run_id: str, step: str) -> None:
    """Take no answer for the step any more."""
    unanswered = sa.and_(waits.c.run_id == run_id, waits.c.step == step, waits.c.answered_at.is_(None))
    connection.execute(waits.update().where(unanswered).values(closed_at=sa.func.clock_timestamp()))


def list_open(
    connection: Connection, owner_id: str | None, user: str, *, limit: int = 50, cursor: str | None = None
) -> Page[OpenWait]:
    """What runs of the owner (None: of all) wait for, or name this user for; the oldest first. Raises `BadCursor`."""
    query = _WAITS.where(_IS_OPEN, runs.c.ended_at.is_(None)).order_by(waits.c.id).limit(limit + 1)
    if owner_id is not None:
        named = sa.func.strpos(sa.cast(waits.c.asked, sa.Text), f'"user:{user}"') > 0
        query = query.where(sa.or_(runs.c.owner_id == owner_id, named))
    if cursor is not None:
        query = query.where(waits.c.id > decode_cursor(cursor, int)[0])
    found = [OpenWait(**row._mapping) for row in connection.execute(query)]
    return Page(found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None)
