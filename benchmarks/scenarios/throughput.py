"""Runs of three light nodes finished per second, with more waiting than can run at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.figures.figure import Figure
from benchmarks.systems import graphs
from benchmarks.systems.stack import Stack

RUNS = 100
CLIENTS = 4


def measure(stack: Stack, repetitions: int) -> list[Figure]:
    graph = stack.apply(graphs.chain("bench-throughput", 3))
    values = []
    for _ in range(max(1, repetitions // 3)):
        started = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            run_ids = list(pool.map(lambda _: stack.launch(graph), range(RUNS)))
        for run_id in run_ids:
            stack.finish(run_id)
        values.append(RUNS / (time.monotonic() - started))
    return [
        Figure(f"runs finished per second, {RUNS} runs of 3 light nodes", "/s", values, first="12 /s", goal="30 /s")
    ]
