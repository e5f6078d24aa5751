"""POST of a run to its 202, one at a time, each run finished before the next is launched."""

from __future__ import annotations

import time

from benchmarks.figures.figure import Figure
from benchmarks.systems import graphs
from benchmarks.systems.stack import Stack


def measure(stack: Stack, repetitions: int) -> list[Figure]:
    graph = stack.apply(graphs.chain("bench-launch", 3))
    values = []
    for _ in range(repetitions * 10):
        started = time.monotonic()
        run_id = stack.launch(graph)
        values.append((time.monotonic() - started) * 1000)
        stack.finish(run_id)
    return [Figure("POST of a run to 202", "ms", values, goal="p50 6 ms, p99 25 ms")]
