"""Runs of three light nodes: what one costs, and a minute of more of them than are to be reached."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from benchmarks.figures.figure import Figure
from benchmarks.systems import family, graphs
from benchmarks.systems.stack import Stack

COUNTED = 200
RATE = 75
SECONDS = 60
BATCH = 25
BURST = 500
CLIENTS = 4
PAGE = 100


def measure(stack: Stack, repetitions: int) -> list[Figure]:
    graph = stack.apply(graphs.chain("bench-throughput", 3))
    few = max(1, repetitions // 3)
    price = [_price(stack, graph) for _ in range(few)]
    bursts = [_burst(stack, graph) for _ in range(few)]
    early, late = _steady(stack, graph)
    return [
        Figure("processor time of all processes per run of 3 light nodes", "ms", price, goal="22 ms"),
        Figure(f"runs finished per second, {BURST} runs of 3 light nodes", "/s", bursts, goal="75 /s"),
        Figure(f"{RATE} runs/s for a minute: accepted to ended, first 100", "ms", early),
        Figure("the same, last 100", "ms", late, goal="no growing lag"),
        Figure("memory of all processes after that (PSS)", "MB", [family.megabytes(stack.pid)], goal="750 MB"),
    ]


def _price(stack: Stack, graph: str) -> float:
    before = family.processor_seconds(stack.pid)
    for _ in range(COUNTED):
        stack.finish(stack.launch(graph))
    return (family.processor_seconds(stack.pid) - before) / COUNTED * 1000


def _burst(stack: Stack, graph: str) -> float:
    started = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        run_ids = list(pool.map(lambda _: stack.launch(graph), range(BURST)))
    for run_id in run_ids:
        stack.finish(run_id)
    return BURST / (time.monotonic() - started)


def _steady(stack: Stack, graph: str) -> tuple[list[float], list[float]]:
    """Milliseconds from acceptance to end of the first and the last runs of a minute, of which none is left over."""
    begin, sent, last = time.monotonic(), 0, ""
    while sent < RATE * SECONDS:
        time.sleep(max(0.0, begin + sent / RATE - time.monotonic()))
        answer = stack.http.post(f"/api/v1/graphs/{graph}/runs:batch", json={"runs": [{}] * BATCH})
        last = answer.raise_for_status().json()["runs"][-1]["run_id"]
        sent += BATCH
        if sent == PAGE:
            early = _waits(stack, graph)
    stack.finish(last)
    return early, _waits(stack, graph)


def _waits(stack: Stack, graph: str) -> list[float]:
    """Milliseconds from acceptance to end of the newest runs, once they have ended."""
    while True:
        path = f"/api/v1/runs?graph={graph}&limit={PAGE}"
        runs: list[dict[str, Any]] = stack.http.get(path).raise_for_status().json()["items"]
        if all(run["ended_at"] for run in runs):
            return [1000 * (_epoch(run["ended_at"]) - _epoch(run["created_at"])) for run in runs]
        time.sleep(0.1)


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
