"""The audit log: rows are appended in the transaction of what they tell of, listed, and never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from platform_core.audit.entry import Action, Author, Deed, Entry, Target, TargetKind
from platform_core.database.pagination import Page, decode_cursor, encode_cursor
from platform_core.database.tables import audit, users
from platform_core.errors import BadCursor

COLUMNS = (
    "action, actor_kind, actor_id, actor_name, credential, address, request_id, "
    "target_kind, target_id, target_name, owner_id, after"
)
"""What a statement writes that does something and tells of it; `bound` has the values of the first seven."""
GIVEN = ":action, :actor_kind, :actor_id, :actor_name, :credential, :address, :request_id"

ENTRY = (*(column for column in audit.c), users.c.name.label("owner"))
_ENTRIES = sa.select(*ENTRY).join_from(audit, users, users.c.id == audit.c.owner_id, isouter=True)


def bound(deed: Deed) -> dict[str, Any]:
    """The values of `GIVEN`."""
    return {"action": deed.action, **_columns(deed.author)}


def _columns(author: Author) -> dict[str, Any]:
    return {
        "actor_kind": author.kind,
        "actor_id": author.id,
        "actor_name": author.name,
        "credential": author.credential,
        "address": author.address,
        "request_id": author.request_id,
    }


def record(
    connection: Connection,
    author: Author,
    action: Action,
    target: Target,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Append a row. Neither `before` nor `after` holds a secret, a password or a token."""
    connection.execute(audit.insert().values(_row(author, action, target, before, after)))


def record_secret_read(connection: Connection, author: Author, name: str, owner_id: str, source: str) -> None:
    """Say that a run reads a secret: once, however often it does."""
    target = Target(TargetKind.SECRET, name=name, owner_id=owner_id)
    row = _row(author, Action.SECRET_READ, target, None, {"source": source})
    connection.execute(insert(audit).values(row).on_conflict_do_nothing())


def _row(
    author: Author,
    action: Action,
    target: Target,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "action": action,
        **_columns(author),
        "target_kind": target.kind,
        "target_id": target.id,
        "target_name": target.name,
        "owner_id": target.owner_id,
        "before": before,
        "after": after,
    }


@dataclass(frozen=True)
class AuditFilter:
    """What listed rows have in common; None says nothing."""

    visible_to: str | None = None
    """A user's id: only what that user did, and what was done to theirs."""
    action: Action | None = None
    actor: str | None = None
    """Name or id of who acted."""
    target: str | None = None
    """Name or id of what was acted upon."""
    owner: str | None = None
    """Name of the owner of what was acted upon."""
    since: datetime | None = None
    """Rows of then or later."""
    until: datetime | None = None
    """Rows before then."""


def list_entries(connection: Connection, wanted: AuditFilter, *, limit: int, cursor: str | None = None) -> Page[Entry]:
    """Rows, the newest first. Raises `BadCursor`."""
    query = _ENTRIES.where(*_conditions(wanted)).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(sa.tuple_(audit.c.at, audit.c.id) < sa.tuple_(*_position(cursor)))
    found = [Entry(**row._mapping) for row in connection.execute(query)]
    last = found[limit - 1] if len(found) > limit else None
    return Page(found[:limit], None if last is None else encode_cursor(last.at.isoformat(), last.id))


def entries_after(connection: Connection, wanted: AuditFilter, last: Entry | None, limit: int) -> list[Entry]:
    """Rows that follow `last`, or the first ones, the oldest first."""
    query = _ENTRIES.where(*_conditions(wanted)).order_by(audit.c.at, audit.c.id).limit(limit)
    if last is not None:
        query = query.where(sa.tuple_(audit.c.at, audit.c.id) > sa.tuple_(last.at, last.id))
    return [Entry(**row._mapping) for row in connection.execute(query)]


def _conditions(wanted: AuditFilter) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.visible_to is not None:
        yield sa.or_(audit.c.owner_id == wanted.visible_to, audit.c.actor_id == wanted.visible_to)
    if wanted.action is not None:
        yield audit.c.action == wanted.action
    if wanted.actor is not None:
        yield sa.or_(audit.c.actor_id == wanted.actor, audit.c.actor_name == wanted.actor)
    if wanted.target is not None:
        yield sa.or_(audit.c.target_id == wanted.target, audit.c.target_name == wanted.target)
    if wanted.owner is not None:
        yield users.c.name == wanted.owner
    if wanted.since is not None:
        yield audit.c.at >= wanted.since
    if wanted.until is not None:
        yield audit.c.at < wanted.until


def _position(cursor: str) -> tuple[datetime, int]:
    moment, entry_id = decode_cursor(cursor, str, int)
    try:
        return datetime.fromisoformat(moment), entry_id
    except ValueError:
        raise BadCursor("The cursor is not valid here; take it from next_cursor of the page before.") from None
