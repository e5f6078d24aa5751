"""Lists of runs, the newest first, by what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.pagination import Page, decode_cursor, encode_cursor
from platform_core.database.tables import graphs, json_text, runs
from platform_core.errors import BadCursor
from platform_core.facts.run_status import RunStatus
from platform_core.runs.run_store import SELECT_RUNS, Run

_SEARCHED = (runs.c.run_id, graphs.c.name, runs.c.params, runs.c.tags, runs.c.error)


@dataclass(frozen=True)
class RunFilter:
    """What listed runs have in common; None and an empty list say nothing."""

    owner_id: str | None = None
    graph_id: str | None = None
    status: RunStatus | None = None
    trigger: str | None = None
    """A kind of trigger, or a trigger's id."""
    tags: Sequence[str] = ()
    """Each `name` or `name=value`; a run has all of them."""
    parent: str | None = None
    since: datetime | None = None
    """The runs created then or later."""
    until: datetime | None = None
    """The runs created before then."""
    text: str | None = None
    """Looked for in the id, the graph's name, the params, the tags and the error, capitals or not."""


def list_runs(
    connection: Connection, wanted: RunFilter | None = None, *, limit: int = 50, cursor: str | None = None
) -> Page[Run]:
    """Runs, the newest first. Raises `BadCursor`."""
    query = SELECT_RUNS.order_by(runs.c.created_at.desc(), runs.c.run_id.desc()).limit(limit + 1)
    query = query.where(*_conditions(wanted or RunFilter()))
    if cursor is not None:
        query = query.where(sa.tuple_(runs.c.created_at, runs.c.run_id) < sa.tuple_(*_position(cursor)))
    found = [Run(**row._mapping) for row in connection.execute(query)]
    if len(found) <= limit:
        return Page(found, None)
    last = found[limit - 1]
    return Page(found[:limit], encode_cursor(last.created_at.isoformat(), last.run_id))


def _conditions(wanted: RunFilter) -> Iterator[sa.ColumnElement[bool]]:
    equal = {
        runs.c.owner_id: wanted.owner_id,
        runs.c.graph_id: wanted.graph_id,
        runs.c.status: wanted.status,
        runs.c.parent_run_id: wanted.parent,
    }
    yield from (column == value for column, value in equal.items() if value is not None)
    if wanted.trigger is not None:
        yield sa.or_(runs.c.trigger_kind == wanted.trigger, runs.c.trigger_id == wanted.trigger)
    if wanted.since is not None:
        yield runs.c.created_at >= wanted.since
    if wanted.until is not None:
        yield runs.c.created_at < wanted.until
    for tag in wanted.tags:
        yield _has_tag(*tag.split("=", 1))
    if wanted.text is not None:
        sought = (json_text(wanted.text) or "")[1:-1].lower()
        yield sa.or_(*(sa.func.strpos(sa.func.lower(_text(column)), sought) > 0 for column in _SEARCHED))


def _has_tag(name: str, value: str | None = None) -> sa.ColumnElement[bool]:
    """Tags are stored as an object of JSON without spaces, and a quote within a text is escaped."""
    pair = f"{json_text(name)}:" + ("" if value is None else str(json_text(value)))
    stored = _text(runs.c.tags)
    return sa.and_(
        stored != "{}",  # of the index of tagged runs
        sa.or_(sa.func.strpos(stored, f"{{{pair}") == 1, sa.func.strpos(stored, f",{pair}") > 0),
    )


def _text(column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The column's text as it is stored."""
    return sa.type_coerce(column, sa.Text)


def _position(cursor: str) -> tuple[datetime, str]:
    moment, run_id = decode_cursor(cursor, str, str)
    try:
        return datetime.fromisoformat(moment), run_id
    except ValueError:
        raise BadCursor("The cursor is not valid here; take it from next_cursor of the page before.") from None
