"""Three light nodes, from the POST to the final event on the stream, beside plain Dagster from launch to SUCCESS."""

from __future__ import annotations

import time

from benchmarks.figures.figure import Figure
from benchmarks.systems import graphs, plain
from benchmarks.systems.stack import Stack


def measure(stack: Stack, repetitions: int) -> list[Figure]:
    graph = stack.apply(graphs.chain("bench-light", 3))
    stack.finish(stack.launch(graph))
    values = []
    for _ in range(repetitions):
        started = time.monotonic()
        stack.finish(stack.launch(graph))
        values.append(time.monotonic() - started)
    return [Figure("3 light nodes, POST to final event", "s", values, first="0.3 s", goal="0.1 s")]


def measure_plain(dagster: plain.PlainDagster, repetitions: int) -> list[float]:
    return [dagster.run("light3") for _ in range(repetitions)]
