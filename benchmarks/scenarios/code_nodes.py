"""Forty code nodes in a row, each computing fib(10) in a process of its own, beside forty ops of plain Dagster."""

from __future__ import annotations

import time

from benchmarks.figures.figure import Figure
from benchmarks.systems import graphs, plain
from benchmarks.systems.stack import Stack


def measure(stack: Stack, repetitions: int) -> list[Figure]:
    graph = stack.apply(graphs.fib_chain("bench-fib", 40))
    stack.finish(stack.launch(graph))
    values = []
    for _ in range(repetitions):
        started = time.monotonic()
        stack.finish(stack.launch(graph))
        values.append(time.monotonic() - started)
    name = "40 sequential fib(10) code nodes, POST to final event"
    return [Figure(name, "s", values, goal="0.45 s")]


def measure_plain(dagster: plain.PlainDagster) -> list[float]:
    """One run only: it takes minutes."""
    return [dagster.run("fib40")]
