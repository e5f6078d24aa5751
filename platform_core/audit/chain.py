"""The chain of the audit log: each sealed row holds a hash over itself and the hash of the row before.

Rows are appended without it, so that no change waits for another one's commit; the daemon seals what was committed, a
moment later and under one lock, so the chain has no forks. Who alters, removes or inserts a sealed row breaks it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.audit.audit_store import record
from platform_core.audit.entry import SYSTEM, Action, Entry, Target, TargetKind
from platform_core.database.tables import audit, audit_anchors

BATCH = 1_000
_NOTHING = bytes(32)
"""What the first row of all is chained to."""
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('headrace.audit', 0))")
_SEAL = sa.text(
    """
    UPDATE headrace.audit SET place = given.place, hash = given.hash
    FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS bigint[]), CAST(:hashes AS bytea[])) AS given (id, place, hash)
    WHERE audit.id = given.id
    """
)
_SEALED = sa.select(*audit.c).where(audit.c.place.is_not(None)).order_by(audit.c.place)


@dataclass(frozen=True)
class Link:
    """A place in the chain and the hash of the row that has it."""

    place: int
    hash: bytes


_BEGINNING = Link(0, _NOTHING)


@dataclass(frozen=True)
class Verdict:
    """What a walk along the chain found: from `anchor`, what retention left of the past, to `head`."""

    anchor: Link
    head: Link
    rows: int
    unsealed: int
    broken_at: int | None = None
    """The first place whose row is missing or is not the one that was sealed."""
    holds_known: bool | None = None
    """Whether the chain holds a link that somebody noted down; None if none was given, or retention removed it."""


def facts_of(entry: Entry) -> dict[str, Any]:
    """What the hash of a row is over, as values of JSON: the row as the API shows it, without `hash` and `owner`."""
    return {
        "place": entry.place,
        "id": entry.id,
        "at": iso(entry.at),
        "action": entry.action,
        "actor": {"kind": entry.actor_kind, "id": entry.actor_id, "name": entry.actor_name},
        "credential": entry.credential,
        "address": entry.address,
        "request_id": entry.request_id,
        "target": {"kind": entry.target_kind, "id": entry.target_id, "name": entry.target_name},
        "owner_id": entry.owner_id,
        "before": entry.before,
        "after": entry.after,
    }


def iso(moment: datetime) -> str:
    """The moment in UTC with microseconds, always of the same length."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def hash_of(previous: bytes, facts: dict[str, Any]) -> bytes:
    """SHA-256 over the hash before, then the facts as JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(previous + text.encode()).digest()


def seal(connection: Connection) -> int:
    """Give each committed row that has none its place in the chain; how many there were."""
    if not connection.execute(sa.select(audit.c.id).where(audit.c.hash.is_(None)).limit(1)).first():
        return 0
    connection.execute(_LOCK)
    link, count = _head(connection), 0
    unsealed = sa.select(*audit.c).where(audit.c.hash.is_(None)).order_by(audit.c.id).limit(BATCH)
    while rows := [Entry(**row._mapping) for row in connection.execute(unsealed)]:
        links = []
        for row in rows:
            facts = {**facts_of(row), "place": link.place + 1}
            link = Link(link.place + 1, hash_of(link.hash, facts))
            links.append(link)
        given = {"ids": [row.id for row in rows], "places": [one.place for one in links]}
        connection.execute(_SEAL, {**given, "hashes": [one.hash for one in links]})
        count += len(rows)
    return count


def _head(connection: Connection) -> Link:
    newest = sa.select(audit.c.place, audit.c.hash).where(audit.c.place.is_not(None)).order_by(audit.c.place.desc())
    row = connection.execute(newest.limit(1)).first()
    return _anchor(connection) if row is None else Link(row.place, row.hash)


def _anchor(connection: Connection) -> Link:
    newest = sa.select(audit_anchors.c.place, audit_anchors.c.hash).order_by(audit_anchors.c.place.desc()).limit(1)
    row = connection.execute(newest).first()
    return _BEGINNING if row is None else Link(row.place, row.hash)


def verify(connection: Connection, known: Link | None = None) -> Verdict:
    """Walk along the whole chain, in portions, as it is now; `connection` has a transaction that has done nothing."""
    connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    anchor = _anchor(connection)
    link, rows = anchor, 0
    holds = None if known is None or known.place < anchor.place else False
    unsealed = connection.execute(sa.select(sa.func.count()).where(audit.c.hash.is_(None))).scalar_one()

    def verdict(broken_at: int | None = None) -> Verdict:
        return Verdict(anchor, link, rows, unsealed, broken_at, holds)

    while found := connection.execute(_SEALED.where(audit.c.place > link.place).limit(BATCH)).all():
        for row in found:
            entry = Entry(**row._mapping)
            expected = Link(link.place + 1, hash_of(link.hash, facts_of(entry)))
            if (entry.place, entry.hash) != (expected.place, expected.hash):
                return verdict(expected.place)
            link, rows = expected, rows + 1
            if known is not None and known.place == link.place:
                holds = known.hash == link.hash
    if known == anchor:
        holds = True
    return verdict()


def forget(connection: Connection, days: int) -> int:
    """Remove sealed rows, from the oldest on, that are older than `days`: at most `BATCH`; how many there were.

    The hash of the last of them is kept as an anchor, so that what stays can still be verified, and a row tells of it.
    """
    before = connection.execute(sa.select(sa.func.clock_timestamp() - timedelta(days))).scalar_one()
    first = connection.execute(_SEALED.limit(1)).first()
    if first is None or first.at >= before:
        return 0
    connection.execute(_LOCK)
    oldest = _SEALED.with_only_columns(audit.c.place, audit.c.hash, audit.c.at).limit(BATCH)
    gone = list(takewhile(lambda row: row.at < before, connection.execute(oldest)))
    if not gone:  # another one was quicker
        return 0
    last = gone[-1]
    connection.execute(audit_anchors.insert().values(place=last.place, hash=last.hash))
    connection.execute(audit.delete().where(audit.c.place <= last.place))
    after = {"rows": len(gone), "place": last.place, "hash": last.hash.hex()}
    record(connection, SYSTEM, Action.AUDIT_FORGOTTEN, Target(TargetKind.AUDIT), after=after)
    return len(gone)
