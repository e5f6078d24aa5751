"""The audit log as a file: in portions, so that neither memory nor a transaction grows with it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from platform_core.audit.audit_store import AuditFilter, entries_after
from platform_core.audit.entry import Entry
from platform_core.database.engine import Engine, reading
from trigger_api.audit.schemas import row_of

PORTION = 500
"""Rows that are read at once."""
CSV_COLUMNS = (
    *("place", "id", "at", "action", "actor_kind", "actor_id", "actor_name", "credential", "address", "request_id"),
    *("target_kind", "target_id", "target_name", "owner_id", "owner", "before", "after", "hash"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would calculate (OWASP, CSV injection)."""


def ndjson(engine: Engine, wanted: AuditFilter) -> Iterator[bytes]:
    """One object of JSON a line, the oldest first."""
    for entries in _portions(engine, wanted):
        yield "".join(json.dumps(row_of(entry), ensure_ascii=False) + "\n" for entry in entries).encode()


def table(engine: Engine, wanted: AuditFilter) -> Iterator[bytes]:
    """CSV (RFC 4180) with a head, the oldest first; `before` and `after` are JSON."""
    yield _lines([CSV_COLUMNS])
    for entries in _portions(engine, wanted):
        yield _lines([tuple(map(_cell, _flat(entry))) for entry in entries])


def _portions(engine: Engine, wanted: AuditFilter) -> Iterator[list[Entry]]:
    last = None
    while True:
        with reading(engine) as connection:
            entries = entries_after(connection, wanted, last, PORTION)
        if not entries:
            return
        yield entries
        last = entries[-1]


def _flat(entry: Entry) -> Iterator[Any]:
    row = row_of(entry)
    parts = {f"{part}_{name}": value for part in ("actor", "target") for name, value in row[part].items()}
    return ((row | parts)[column] for column in CSV_COLUMNS)


def _cell(value: Any) -> str:
    text = "" if value is None else json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _lines(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
