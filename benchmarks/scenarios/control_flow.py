"""What runs at once and what is repeated: processors, waiting, foreach, and what one code node costs."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from benchmarks.figures.figure import Figure
from benchmarks.systems import family, graphs
from benchmarks.systems.stack import Stack


def measure(stack: Stack, repetitions: int) -> list[Figure]:
    few = max(1, repetitions // 3)
    at_once = _seconds(stack, graphs.fib_side_by_side("bench-fib-at-once", 8, 30, 8), few)
    in_turn = _seconds(stack, graphs.fib_side_by_side("bench-fib-in-turn", 8, 30, 1), few)
    ratio = [together / alone for together, alone in zip(at_once, in_turn, strict=True)]
    waits = _seconds(stack, graphs.delays("bench-delays", 40, 0.5, 20), few)
    hundred = _seconds(stack, graphs.items("bench-items-100", 100), repetitions)
    thousand = _seconds(stack, graphs.items("bench-items-1000", 1000), few)
    before = family.megabytes(stack.pid)
    most, growth = _many_items(stack)
    return [
        Figure("8 x fib(30) code nodes at once, of the time in turn", "", ratio, goal="0.6 on 2 cores"),
        Figure("40 x 0.5 s delays, 20 at a time", "s", waits, goal="2 s"),
        Figure("foreach over 100 items, light node", "s", hundred, goal="0.1 s"),
        Figure("foreach over 1,000 items, light node", "s", thousand, goal="0.6 s"),
        Figure("foreach over 100,000 items, light node", "s", [most], goal="70 s"),
        Figure("memory that they added at most (PSS of all processes)", "MB", [growth - before], goal="flat"),
        Figure("a code node, started to succeeded", "ms", _code_node(stack, repetitions), goal="25 ms"),
    ]


def _many_items(stack: Stack) -> tuple[float, float]:
    """Seconds that 100,000 items took, and the most memory that was seen meanwhile, in MB."""
    started, peak = time.monotonic(), 0.0
    run_id = stack.launch(stack.apply(graphs.items("bench-items-100000", 100_000)))
    while (status := stack.http.get(f"/api/v1/runs/{run_id}").json()["status"]) in ("QUEUED", "STARTING", "RUNNING"):
        peak = max(peak, family.megabytes(stack.pid))
        time.sleep(0.25)
    assert status == "SUCCESS", status
    return time.monotonic() - started, peak


def _seconds(stack: Stack, document: dict[str, Any], repetitions: int) -> list[float]:
    graph = stack.apply(document)
    stack.finish(stack.launch(graph))  # what is made once per graph and process is not what is measured
    values = []
    for _ in range(repetitions):
        started = time.monotonic()
        stack.finish(stack.launch(graph))
        values.append(time.monotonic() - started)
    return values


def _code_node(stack: Stack, repetitions: int) -> list[float]:
    graph = stack.apply(graphs.code_node("bench-code-node"))
    stack.finish(stack.launch(graph))
    return [_step(stack, stack.launch(graph)) for _ in range(2 * repetitions)]


def _step(stack: Stack, run_id: str) -> float:
    """Milliseconds between the events of the node, by the clock of the worker."""
    times = {received.event["type"]: received.event["ts"] for received in stack.follow(run_id)}
    return (_epoch(times["node.succeeded"]) - _epoch(times["node.started"])) * 1000


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
