"""What a run waits for, written with the records that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from definitions.journal.connection import Connection
from graph_compiler.nodes.asking import WaitKind
from graph_compiler.values.binary import compact
from graph_engine.journal.records import Wait, Waiting
from platform_core.runs.wait_store import token_hash

_OPEN = """
INSERT INTO headrace.waits (run_id, step, node, kind, until, asked, token_hash)
VALUES (%(run)s, %(step)s, %(node)s, %(kind)s, to_timestamp(%(until)s::float8), %(asked)s, %(token_hash)s)
ON CONFLICT (run_id, step) DO NOTHING
"""
# An answer that came while the worker was busy with falling asleep found no sleeping run to wake.
_WAKE_ANSWERED = """
UPDATE headrace.runs SET wake_at = clock_timestamp()
WHERE run_id = %(run)s AND status = 'WAITING' AND EXISTS (
    SELECT FROM headrace.waits
    WHERE run_id = %(run)s AND node = ANY(%(nodes)s) AND kind <> 'time' AND answered_at IS NOT NULL
)
"""


@dataclass(frozen=True)
class RunWaits:
    """`until` is what a run waits for that falls asleep; `asked` what calls and people are to answer from now on."""

    until: Sequence[Wait]
    asked: Sequence[Waiting]

    def __bool__(self) -> bool:
        return bool(self.until or self.asked)


NO_WAITS = RunWaits((), ())


def write_waits(connection: Connection, run_id: str, waits: RunWaits) -> None:
    """In the transaction of the records; harmless twice."""
    for asked in waits.asked:
        _open(connection, run_id, asked)
    if not waits.until:
        return
    connection.execute("DELETE FROM headrace.waits WHERE run_id = %s AND kind = 'time'", (run_id,))
    times = [(run_id, wait.name, wait.item, wait.until) for wait in waits.until if wait.kind is WaitKind.TIME]
    connection.cursor().executemany(
        "INSERT INTO headrace.waits (run_id, node, item, until) VALUES (%s, %s, %s, to_timestamp(%s::float8))", times
    )
    nodes = [wait.name for wait in waits.until if wait.kind is not WaitKind.TIME]
    if nodes:
        connection.execute(_WAKE_ANSWERED, {"run": run_id, "nodes": nodes})


def _open(connection: Connection, run_id: str, record: Waiting) -> None:
    asking, token = record.asking, None
    assert asking is not None
    if asking.kind is WaitKind.TIME:
        return
    if record.address is not None:
        token = token_hash(record.address.rpartition("/")[2])
        # A retry waits at the address of the run that failed.
        connection.execute("DELETE FROM headrace.waits WHERE token_hash = %s AND run_id <> %s", (token, run_id))
    asked = {"schema": asking.schema, "message": asking.message, "who": asking.who, "not_by": asking.not_by}
    given = {
        "run": run_id,
        "step": record.place.key,
        "node": record.place.name,
        "kind": asking.kind.value,
        "until": record.until,
        "asked": compact(asked),
        "token_hash": token,
    }
    connection.execute(_OPEN, given)
