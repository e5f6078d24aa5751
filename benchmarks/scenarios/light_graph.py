"""Three light nodes, from the POST to the final event on the stream, beside plain Dagster from launch to SUCCESS."""

from __future__ import annotations

import time

from benchmarks.figures.figure import Figure
from benchmarks.systems import graphs, plain
from benchmarks.systems.stack import Stack


def measure(stack: Stack, repetitions: int) -> list[Figure]:
    three = _seconds(stack, "bench-light", 3, 3 * repetitions)
    forty = _seconds(stack, "bench-forty", 40, repetitions)
    many = _seconds(stack, "bench-long-chain", 4000, max(1, repetitions // 3))
    return [
        Figure("3 light nodes, POST to final event", "s", three, goal="0.04 s"),
        Figure("40 light nodes in a row, POST to final event", "s", forty, goal="0.12 s"),
        Figure("4,000 light nodes in a row, POST to final event", "s", many, goal="4 s"),
    ]


def _seconds(stack: Stack, name: str, length: int, repetitions: int) -> list[float]:
    graph = stack.apply(graphs.chain(name, length))
    stack.finish(stack.launch(graph))
    values = []
    for _ in range(repetitions):
        started = time.monotonic()
        stack.finish(stack.launch(graph))
        values.append(time.monotonic() - started)
    return values


def measure_plain(dagster: plain.PlainDagster, repetitions: int) -> list[float]:
    return [dagster.run("light3") for _ in range(repetitions)]
