"""Reading a run's events from `headrace.run_events`: gapless per run, in commit order, in the form of the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import run_events
from platform_core.errors import BadCursor

RUN_QUEUED = "run.queued"
TERMINAL_TYPES = frozenset({"run.succeeded", "run.failed", "run.canceled"})
EVENT_TYPES = TERMINAL_TYPES | {
    RUN_QUEUED,
    "run.started",
    "run.waiting",
    "run.resumed",
    "node.started",
    "node.succeeded",
    "node.failed",
    "node.skipped",
    "node.retrying",
    "node.waiting",
    "node.progress",
    "node.output",
    "log",
    "stdout",
    "stderr",
    "truncated",
}
"""Every type of event there is; a test demands that the writers know no other."""

_CURSOR = re.compile(r"(0|[1-9][0-9]{0,9})")
_LARGEST_SEQ = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One entry of a run's log. `seq` counts from 1 without gaps; `data` is a JSON object."""

    run_id: str
    seq: int
    ts: datetime
    type: str
    node: str | None
    item: int | None
    level: str
    message: str
    data: dict[str, Any]

    @property
    def cursor(self) -> str:
        """The opaque position after this event."""
        return str(self.seq)

    @property
    def is_final(self) -> bool:
        return self.type in TERMINAL_TYPES

    def wire(self) -> dict[str, Any]:
        """The event as clients get it (docs/reference/streams.md); the last one says `final` and `count`."""
        wire = {
            "id": self.cursor,
            "run_id": self.run_id,
            "seq": self.seq,
            "ts": self.ts.isoformat(),
            "type": self.type,
            "node": self.node,
            "item": self.item,
            "level": self.level,
            "message": self.message,
            "data": self.data,
        }
        return wire | {"final": True, "count": self.seq} if self.is_final else wire


def parse_cursor(text: str | None) -> int:
    """The seq after which to read; no cursor is the beginning. Raises `BadCursor`."""
    if text is None or text == "":
        return 0
    if not _CURSOR.fullmatch(text) or int(text) > _LARGEST_SEQ:
        raise BadCursor(f"{text[:40]!r} is not a cursor; take it from the id of an event.")
    return int(text)


def read_events(connection: Connection, run_id: str, after: int, limit: int) -> list[RunEvent]:
    """At most `limit` events of the run after the one numbered `after`, in order."""
    columns = run_events.c
    reported = [column for column in columns if column.name != "note"]
    query = sa.select(*reported).where(columns.run_id == run_id, columns.seq > after).order_by(columns.seq).limit(limit)
    return [RunEvent(**row._mapping) for row in connection.execute(query)]
