"""Runs that wait without a worker: how soon one goes on, and what a hundred thousand of them cost.

The many are copies of the row of one, as the queue sees them; to let each fall asleep by itself would take an hour.
"""

from __future__ import annotations

import json
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.figures.figure import Figure
from benchmarks.systems import family, stack

MANY = 100_000
WINDOW_SECONDS = 60
SETTLE_SECONDS = 5


def measure(repetitions: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder, stack.running(Path(folder)) as running:
        graph = running.apply(_napping("bench-nap", "6s"))
        late = [_lateness(running, running.launch(graph)) for _ in range(repetitions)]
        _let_wait(running, json.loads((Path(folder) / "up.json").read_text())["database_url"])
        time.sleep(SETTLE_SECONDS)
        before = family.processor_seconds(running.pid)
        time.sleep(WINDOW_SECONDS)
        share = 100 * (family.processor_seconds(running.pid) - before) / WINDOW_SECONDS
    return [
        Figure("a run that waits: its time to its next node", "ms", late, goal="100 ms"),
        Figure(f"{MANY} runs that wait: processor of all processes", "% of a core", [share], goal="1 %"),
    ]


def _napping(name: str, duration: str) -> dict[str, Any]:
    nap = {"id": "nap", "type": "delay", "config": {"duration": duration}}
    end = {"id": "end", "type": "transform", "config": {"value": 1}, "after": ["nap"]}
    return {"spec_version": 1, "name": name, "nodes": [nap, end]}


def _lateness(running: stack.Stack, run_id: str) -> float:
    events = [received.event for received in running.follow(run_id)]
    until = next(event["data"]["until"] for event in events if event["type"] == "node.waiting")
    began = next(event["ts"] for event in events if (event["type"], event["node"]) == ("node.started", "end"))
    return float(1000 * (datetime.fromisoformat(began).timestamp() - until))


def _let_wait(running: stack.Stack, database_url: str) -> None:
    run_id = running.launch(running.apply(_napping("bench-long-nap", "30d")))
    while running.http.get(f"/api/v1/runs/{run_id}").json()["status"] != "WAITING":
        time.sleep(0.1)
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        columns = connection.execute(
            "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns "
            "WHERE table_schema = 'headrace' AND table_name = 'runs' "
            "AND column_name NOT IN ('run_id', 'idempotency_key')"
        ).fetchone()
        assert columns is not None
        copied = f"INSERT INTO headrace.runs (run_id, {columns[0]}) SELECT run_id || n, {columns[0]} "
        connection.execute(
            f"{copied} FROM headrace.runs, generate_series(1, {MANY}) n WHERE run_id = %s".encode(), (run_id,)
        )
        connection.execute("ANALYZE headrace.runs")
