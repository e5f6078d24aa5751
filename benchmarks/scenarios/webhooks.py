"""Signed webhooks: 300 a second over 20 connections while runs execute, and the time from a webhook to the first node.

The figures of the load say what the machine did besides; the processor's time per call does not depend on it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from benchmarks.figures.figure import Figure, percentile
from benchmarks.systems import graphs
from benchmarks.systems.stack import Stack

RATE = 300
CONNECTIONS = 20
SECONDS = 20
SECRET = "a secret of the benchmark"
PUSH = (Path(__file__).parents[2] / "examples" / "github-push.json").read_text()


def measure(stack: Stack, repetitions: int) -> list[Figure]:
    # The load last: it leaves thousands of runs waiting.
    first_node = _first_node(stack, repetitions * 5)
    return [*_accepted(stack), *first_node]


def _webhook(stack: Stack, name: str, **more: Any) -> str:
    """Store a graph of three light nodes with a webhook; the address of that."""
    stack.http.put("/api/v1/secrets/bench_webhook", json={"value": SECRET}).raise_for_status()
    document = graphs.chain(name, 3)
    trigger = {"id": "push", "type": "webhook", "verify": {"scheme": "github", "secret": "bench_webhook"}, **more}
    stack.apply({**document, "triggers": [trigger]})
    [found] = stack.http.get(f"/api/v1/graphs/{name}/triggers").json()["items"]
    return str(found["url"])


def _accepted(stack: Stack) -> list[Figure]:
    """Every call starts a run, so there are always more runs waiting than can be executed."""
    url = _webhook(stack, "bench-webhooks")
    _load(url, rate=50, seconds=2)
    api, database = _process(stack.pid, "api"), _process(stack.pid, "postgres")
    before = _seconds(api), _seconds(database)
    print(f"  load of the machine before: {os.getloadavg()}", flush=True)
    answers = _load(url, rate=RATE, seconds=SECONDS)
    print(f"  load of the machine after: {os.getloadavg()}", flush=True)
    spent = (_seconds(api) - before[0]) / len(answers), (_seconds(database) - before[1]) / len(answers)
    refused = [status for status, *_ in answers if status != 202]
    assert not refused, f"{len(refused)} calls were not accepted: {set(refused)}"
    latencies = [latency for _, latency, _ in answers]
    print(f"  p50 {percentile(latencies, 50):.1f} ms, p99 {percentile(latencies, 99):.1f} ms", flush=True)
    what = f"webhook to 202, {RATE}/s over {CONNECTIONS} connections while runs execute"
    return [
        Figure(what, "ms", latencies, goal="p99 60 ms"),
        Figure("processor's time of the API per webhook", "ms", [spent[0] * 1000]),
        Figure("processor's time of PostgreSQL per webhook, runs included", "ms", [spent[1] * 1000]),
    ]


def _first_node(stack: Stack, samples: int) -> list[Figure]:
    """From the call being sent to the event that the first node began, by the database's clock, one at a time."""
    url = _webhook(stack, "bench-first-node")
    values = []
    for _ in range(samples):
        sent = time.time()
        [[status, *_]] = _load(url, rate=1, seconds=1)
        assert status == 202
        run_id = stack.http.get("/api/v1/runs?graph=bench-first-node&limit=1").json()["items"][0]["run_id"]
        events = [received.event for received in stack.follow(run_id)]
        queued, started = (
            datetime.fromisoformat(next(event["ts"] for event in events if event["type"] == kind)).timestamp()
            for kind in ("run.queued", "node.started")
        )
        assert queued >= sent
        values.append((started - queued) * 1000)
    return [Figure("webhook accepted to first node", "ms", values, goal="p50 40 ms")]


def _load(url: str, *, rate: int, seconds: int) -> list[list[float]]:
    """Status and latencies (ms, from when it was due and from when it was sent) of each call."""
    address = urlsplit(url)
    job = {
        "host": address.hostname,
        "port": address.port,
        "path": address.path,
        "secret": SECRET,
        "body": PUSH,
        "rate": rate,
        "seconds": seconds,
        "connections": CONNECTIONS,
    }
    command = [sys.executable, "-m", "benchmarks.load.webhook_load"]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=True)
    found: list[list[float]] = json.loads(done.stdout)
    return found


def _process(up: int, name: str) -> psutil.Process:
    """The service of this name, a descendant of `up`."""
    record = next(
        json.loads(Path(process.environ()["HEADRACE_HOME"], "up.json").read_text()) for process in [psutil.Process(up)]
    )
    return psutil.Process(record["pids"][name])


def _seconds(process: psutil.Process) -> float:
    """Processor's time of a process and those it started, also the ended ones that it waited for."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        times = one.cpu_times()
        total += times.user + times.system
    times = process.cpu_times()
    return total + times.children_user + times.children_system
