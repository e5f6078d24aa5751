"""Runs and their events, written as the event storage writes them: the seq is given under the row lock of the run."""

from __future__ import annotations

import json

import psycopg
from sqlalchemy.engine import Engine

from platform_core.database.engine import transaction
from platform_core.graphs.graph_store import save_graph
from platform_core.identity.user_store import User, create_user
from platform_core.runs.run_store import NewRun, accept_run

_APPEND = """
    WITH run AS (
        UPDATE headrace.runs SET last_seq = last_seq + %(count)s, status = coalesce(%(status)s, status)
        WHERE run_id = %(run_id)s RETURNING run_id, last_seq
    ), written AS (
        INSERT INTO headrace.run_events (run_id, seq, ts, type, level, message, data)
        SELECT run_id, last_seq - %(count)s + n, clock_timestamp(), %(type)s, 'info', %(message)s, %(data)s
        FROM run, generate_series(1, %(count)s) AS n
    )
    SELECT last_seq, pg_notify('headrace_events', run_id || ':' || last_seq) FROM run
"""
_ENDS = {"run.succeeded": "SUCCESS", "run.failed": "FAILURE", "run.canceled": "CANCELED"}


def create_owner(engine: Engine, name: str, role: str = "editor") -> User:
    """A user with a password nobody uses."""
    with transaction(engine) as connection:
        return create_user(connection, name, "correct horse battery", role)


def create_run(engine: Engine, owner: User, graph: str = "flow") -> str:
    """An accepted run of the owner; its first event is `run.queued`. Returns the run id."""
    with transaction(engine) as connection:
        saved, _ = save_graph(
            connection,
            owner_id=owner.id,
            name=graph,
            document="{}",
            sha256="0" * 64,
            created_by=owner.id,
            if_match=None,
            must_not_exist=False,
        )
        run, _ = accept_run(
            connection,
            NewRun(graph_id=saved.id, version=saved.version, owner_id=owner.id, params={}, trigger_kind="manual"),
        )
        return run.run_id


def append(
    connection: psycopg.Connection, run_id: str, kind: str = "log", *, count: int = 1, message: str = "hello"
) -> int:
    """`count` more events, in one statement; returns the seq of the last."""
    arguments = {
        "run_id": run_id,
        "type": kind,
        "count": count,
        "message": message,
        "status": _ENDS.get(kind),
        "data": json.dumps({"key": "value"}, separators=(",", ":")),
    }
    row = connection.execute(_APPEND, arguments).fetchone()
    assert row is not None
    return int(row[0])


def table(connection: psycopg.Connection, run_id: str) -> list[tuple[int, str, str]]:
    """Every event of the run: seq, type, message."""
    return connection.execute(
        "SELECT seq, type, message FROM headrace.run_events WHERE run_id = %s ORDER BY seq", (run_id,)
    ).fetchall()
